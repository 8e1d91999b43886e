// Core ML packages as a user makes, runs, inspects and gates them, without a Mac.

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cli_fixture.h"
#include "lab/synth/synthesise.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

class CoremlTest : public CliTest {
 protected:
  std::string PackCoreml(const std::string& name, const Args& more) {
    const std::string path = Path(name);
    Args args = {"pack", TinyPhi(), "-o", path, "--device", "coreml"};
    args.insert(args.end(), more.begin(), more.end());
    HeadwayOk(args);
    return path;
  }
  Json RunJson(const std::string& package, const Args& more = {},
               const std::string& tokens = "12") const {
    Args args = {"run", package, "-p", "hello", "-n", tokens, "--ignore-end", "--json"};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome outcome = HeadwayOk(args);
    Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out;
    return json;
  }
};

TEST_F(CoremlTest, ComputeUnits_AreTheInterpretersWhereThereIsNoCoreMl) {
  const std::string package = PackCoreml("units", {"--no-goldens"});
  EXPECT_EQ(RunJson(package, {"--compute-units", "interpreter"})["generated_ids"],
            RunJson(package)["generated_ids"]);
  ExpectRefused({"run", package, "-p", "a", "--compute-units", "cpu-and-gpu", "--allow-ungated"},
                {"has no Core ML", "'cpu-and-gpu'"});
}

TEST_F(CoremlTest, EveryHeadAndWidth_GeneratesTheSameText) {
  const std::string package =
      PackCoreml("all", {"--head", "full:4,full:1,full:20,top1:3,blockmax:2,top1-fp16:4",
                         "--batch-tokens", "1,4", "--no-goldens"});
  const Json expected = RunJson(package);
  EXPECT_EQ(expected["model"]["device"], "coreml");
  EXPECT_EQ(expected["model"]["instruction_set"], "interpreted");
  EXPECT_EQ(expected["generated_ids"].size(), 12U);
  for (const char* head : {"full:1", "full:20", "top1:3", "blockmax:2", "top1-fp16:4"})
    EXPECT_EQ(RunJson(package, {"--head", head})["generated_ids"], expected["generated_ids"])
        << head;
  for (const char* widths : {"1", "4", "1..4"}) {
    const std::string other =
        PackCoreml(std::string("w") + widths, {"--batch-tokens", widths, "--no-goldens"});
    EXPECT_EQ(RunJson(other)["prompt_ids"], expected["prompt_ids"]);
    EXPECT_EQ(RunJson(other)["generated_ids"].size(), 12U) << widths;
  }
  const Json sampled = RunJson(package, {"--temp", "2", "--seed", "3"});
  EXPECT_EQ(sampled["generated_ids"], RunJson(package, {"--temp", "2", "--seed", "3", "--head",
                                                        "blockmax:2"})["generated_ids"]);
  ExpectRefused({"run", package, "-p", "a", "--head", "top1:3", "--temp", "1", "--allow-ungated"},
                {"head top1:3", "no logits", "greedy"});
}

TEST_F(CoremlTest, SeveralWidths_AreFunctionsOfOneProgram) {
  const std::string one = PackCoreml("one", {"--no-goldens"});
  const std::string both = PackCoreml("both", {"--batch-tokens", "1,4"});
  const auto programs_of = [this](const std::string& package) {
    return Json::parse(HeadwayOk({"inspect", package, "--json"}).out, nullptr, false)["programs"];
  };
  const Json narrow = programs_of(one);
  const Json programs = programs_of(both);
  ASSERT_EQ(programs.size(), narrow.size());
  for (size_t i = 0; i < programs.size(); ++i) {
    const Json& functions = programs[i]["functions"];
    EXPECT_EQ(functions.size(), 2U);
    EXPECT_TRUE(functions.contains("t1") && functions.contains("t4")) << functions;
    EXPECT_EQ(programs[i]["weight_bytes"], narrow[i]["weight_bytes"]);
  }
  EXPECT_EQ(RunJson(both)["generated_ids"].size(), 12U);
  HeadwayOk({"gate", "golden", both});
}

// Keys and values that the host keeps.
TEST_F(CoremlTest, CacheOutside_PassesItsGates) {
  const std::string package = PackCoreml("io", {"--states", "io", "--batch-tokens", "1,4"});
  HeadwayOk({"gate", "all", package});
  EXPECT_EQ(RunJson(package)["generated_ids"].size(), 12U);
  const Args range = {"pack",   TinyPhi(),  "-o", Path("x"),        "--device",
                      "coreml", "--states", "io", "--batch-tokens", "1..4"};
  ExpectRefused(range, {"--batch-tokens", "outside the program", "1..4"});
  EXPECT_TRUE(Headway(range).err.starts_with("headway: ")) << "refused only after recording";
}

// Steps wider than a program are run in pieces: 1,4 serves drafts of any number.
TEST_F(CoremlTest, Speculation_GivesThePlainTokens) {
  const std::string package =
      PackCoreml("spec", {"--head", "full:2,top1:3", "--batch-tokens", "1,4", "--no-goldens"});
  for (const char* head : {"full:2", "top1:3"}) {
    const Args base = {"--head", head};
    const Json plain = RunJson(package, base, "70");
    uint64_t drafted = 0;
    for (const char* most : {"3", "6"}) {
      Args with = base;
      with.insert(with.end(), {"--speculate", "lookup:1..4", "--draft-tokens", most});
      const Json found = RunJson(package, with, "70");
      EXPECT_EQ(found["generated_ids"], plain["generated_ids"]) << head << ", " << most;
      drafted += found["counters"]["speculation"]["drafted"].get<uint64_t>();
    }
    EXPECT_GT(drafted, 0U) << head;
  }
  WriteFile(Path("g.gbnf"), "root ::= [xy]");
  ExpectRefused({"run", package, "-p", "a", "--allow-ungated", "--head", "top1:3", "--grammar",
                 Path("g.gbnf")},
                {"head top1:3", "expected decoding without a grammar, or a head like full:4"});
}

TEST_F(CoremlTest, Counters_AddUpAsForEveryDevice) {
  const Json json = RunJson(PackCoreml("counters", {"--head", "full:3", "--no-goldens"}));
  const Json& c = json["counters"];
  const auto value = [&](const char* name) { return c[name].get<uint64_t>(); };
  EXPECT_EQ(value("steps"), 11U);
  EXPECT_EQ(value("head_skipped"), value("prefill_tokens") - 1);
  EXPECT_LE(value("embed_ns") + value("rope_mask_ns") + value("layers_ns") + value("head_ns"),
            value("step_ns"));
  EXPECT_EQ(value("head_bytes_read") + value("layers_bytes_read"),
            value("steps") * json["model"]["weight_bytes_per_token"].get<uint64_t>());
  EXPECT_GT(value("kv_bytes"), 0U);
  EXPECT_NE(c["logits_hash"], "0000000000000000");
}

TEST_F(CoremlTest, Run_SaysThatItInterprets) {
  const std::string package = PackCoreml("said", {"--no-goldens"});
  const Outcome outcome = HeadwayOk({"run", package, "-p", "a", "-n", "2", "--profile"});
  EXPECT_NE(outcome.err.find("coreml interpreted"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("interpreted on the CPU"), std::string::npos) << outcome.err;
}

TEST_F(CoremlTest, MaxSeq_IsTheContext) {
  const std::string package = PackCoreml("short", {"--max-seq", "24", "--no-goldens"});
  EXPECT_EQ(RunJson(package)["model"]["context_tokens"], 24);
  EXPECT_EQ(
      HeadwayOk({"run", package, "-p", "hello", "-n", "100", "--ignore-end", "--allow-ungated"})
          .err.rfind("headway: interpreted on the CPU", 0),
      0U);
  ExpectRefused({"run", package, "-p", std::string(100, 'a'), "--allow-ungated"},
                {"at most 24 tokens"});
}

TEST_F(CoremlTest, Options_AreAcceptedAndMistakesNamed) {
  for (const Args& more : std::vector<Args>{{"--weights", "fp16", "--states", "unified"},
                                            {"--weights", "lut4", "--attention", "batched"},
                                            {"--weights", "int4-blockwise", "--head-split", "2"},
                                            {"--norm-prescale", "0.125"}}) {
    Args with = more;
    with.insert(with.end(), {"--no-goldens", "--replace"});
    EXPECT_EQ(RunJson(PackCoreml("options", with))["generated_ids"].size(), 12U);
  }
  const auto refused = [&](const Args& more, const std::vector<std::string>& parts) {
    Args args = {"pack", TinyPhi(), "-o", Path("x")};
    args.insert(args.end(), more.begin(), more.end());
    ExpectRefused(args, parts);
  };
  refused({"--weights", "fp16"}, {"--weights", "--device coreml", "cpu"});
  refused({"--batch-tokens", "1,4"}, {"--batch-tokens", "cpu"});
  refused({"--device", "coreml", "--weights", "int5"}, {"--weights", "lut4", "'int5'"});
  refused({"--device", "coreml", "--batch-tokens", "1,x"}, {"--batch-tokens", "'x'"});
  refused({"--device", "coreml", "--batch-tokens", "4,4"}, {"--batch-tokens", "different"});
  refused({"--device", "coreml", "--states", "two"}, {"--states", "unified", "'two'"});
  refused({"--device", "coreml", "--max-seq", "100000"}, {"--max-seq", "512", "100000"});
  refused({"--device", "coreml", "--head", "reduced:8"}, {"reduced:8", "coreml", "certified"});
  refused({"--device", "coreml", "--head", "certified:8"}, {"certified:8", "without a number"});
  refused({"--head", "top1-fp16:2"}, {"top1-fp16:2", "device cpu"});
  refused({"--device", "tpu"}, {"tpu", "coreml"});
}

TEST_F(CoremlTest, Inspect_ShowsProgramsAndPredictions) {
  const std::string package =
      PackCoreml("inspected", {"--head", "full:2,top1:2", "--no-goldens", "--weights", "fp16"});
  const std::string shown = HeadwayOk({"inspect", package}).out;
  EXPECT_NE(shown.find("package for coreml"), std::string::npos);
  EXPECT_NE(shown.find("weights     fp16"), std::string::npos);
  EXPECT_NE(
      shown.find("predicted, contested: 8 of 8 compute ops, 1 of 1 convs on the Neural Engine"),
      std::string::npos)
      << shown;
  EXPECT_NE(shown.find("predicted, contested: 9 of 11 compute ops"), std::string::npos) << shown;
  const std::string program = HeadwayOk({"inspect", package + "/head_top1_2_00.mlpackage"}).out;
  for (const char* part : {"conv", "topk", "predicted placement, contested: 9 of 11",
                           "headway.weights", "relative RMS error"}) {
    EXPECT_NE(program.find(part), std::string::npos) << part;
  }
  EXPECT_NE(HeadwayOk({"inspect", package, "--graph"}).out.find("predicted placement"),
            std::string::npos);
}

// The same report as data: of one program, of every program of a package, and of the gate.
TEST_F(CoremlTest, Json_HasEveryOpTheHistogramAndTheReasons) {
  const std::string package =
      PackCoreml("json", {"--head", "full:2,top1:2", "--no-goldens", "--weights", "fp16"});
  const auto parsed = [](const Outcome& outcome) {
    Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out;
    return json;
  };
  const std::string top1 = "head_top1_2_00.mlpackage";
  const Json program = parsed(HeadwayOk({"inspect", package + "/" + top1, "--json"}));
  EXPECT_EQ(program["verifies"], true);
  const Json& main = program["functions"]["main"];
  EXPECT_EQ(main["basis"], "predicted");
  EXPECT_EQ(main["compute_total"], 11);
  EXPECT_EQ(main["compute_ane"], 9);
  EXPECT_EQ(main["histogram"]["topk"], 1);
  EXPECT_EQ(main["ops"].size(), 11U);

  const Json whole = parsed(HeadwayOk({"inspect", package, "--json"}));
  EXPECT_EQ(whole["device"], "coreml");
  EXPECT_EQ(whole["weights"], "fp16");
  EXPECT_EQ(whole["programs"].size(), 5U);  // layers, two heads of two shards
  EXPECT_EQ(whole["files"].size(), 7U);     // and tokenizer and embedding
  for (const Json& placed : whole["programs"]) {
    if (placed["path"] == top1) {
      EXPECT_EQ(placed["functions"], program["functions"]);
    }
  }

  const Json gated = parsed(Headway({"gate", "residency", package, "--json"}));
  EXPECT_EQ(gated["passed"], false);
  const auto shard_of = [&](const std::string& name) {
    for (const Json& shard : gated["residency"])
      if (shard["shard"] == name) return shard;
    return Json();
  };
  EXPECT_EQ(shard_of(top1)["histogram"]["ios18.topk"], 1);
  // Tiny-phi's shards are far below the weights that the device is known to be used for.
  std::set<std::string> warnings;
  for (const Json& shard : gated["residency"]) {
    for (const Json& warning : shard["warnings"]) warnings.insert(warning.get<std::string>());
    for (const Json& op : shard["ops"])
      for (const Json& warning : op["warnings"]) warnings.insert(warning.get<std::string>());
  }
  EXPECT_FALSE(warnings.empty());
  ExpectRefused({"inspect", TinyPhi(), "--json"}, {"--json", "expected a package", "found a file"});
}

TEST_F(CoremlTest, Gates_PassHonestPackages_AndRejectWhatLeavesTheEngine) {
  const std::string good = PackCoreml("good", {"--head", "full:3,blockmax:2,top1-fp16:2"});
  const std::string report = HeadwayOk({"gate", "all", good}).out;
  EXPECT_NE(report.find("predicted"), std::string::npos) << report;
  EXPECT_NE(report.find("interpreted"), std::string::npos) << report;
  const auto rejected = [&](const std::string& package, const std::string& reason) {
    const Outcome outcome = Headway({"gate", "residency", package});
    EXPECT_EQ(outcome.status, 1) << package;
    EXPECT_NE(outcome.out.find(reason), std::string::npos) << outcome.out;
  };
  rejected(PackCoreml("top1", {"--head", "top1:2", "--no-goldens"}), "topk");
  rejected(PackCoreml("int4", {"--weights", "int4-blockwise", "--no-goldens"}), "int4");
}

TEST_F(CoremlTest, Llama_IsPackedAndPassesItsGates) {
  const std::string gguf = Path("llama.gguf");
  ASSERT_TRUE(synth::Synthesise({.shape = "tiny-llama", .type = "q8_0", .seed = 1}, gguf, nullptr)
                  .has_value());
  HeadwayOk({"pack", gguf, "-o", Path("llama"), "--device", "coreml", "--gate"});
  EXPECT_EQ(RunJson(Path("llama"))["generated_ids"].size(), 12U);
}

TEST_F(CoremlTest, DamagedPackages_AreRefused) {
  const std::string package = PackCoreml("damaged", {"--no-goldens"});
  const std::string shard = package + "/layers_000_002.mlpackage";
  const std::string weights = shard + "/Data/com.apple.CoreML/weights/weight.bin";
  std::string bytes = ReadFile(weights);
  const std::string good = bytes;
  bytes[64] = '\0';  // the sentinel of the first blob
  WriteFile(weights, bytes);
  ExpectRefused({"run", package, "-p", "a"}, {shard});
  WriteFile(weights, good.substr(0, good.size() / 2));
  ExpectRefused({"run", package, "-p", "a"}, {shard, "bytes"});
  WriteFile(weights, good);
  bytes = good;
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  WriteFile(weights, bytes);
  ExpectRefused({"run", package, "-p", "a", "--verify"}, {shard, "digest"});
  fs::remove(shard + "/Manifest.json");
  ExpectRefused({"run", package, "-p", "a"}, {shard});
}

}  // namespace
}  // namespace headway::cli_test
