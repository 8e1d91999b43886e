// What `headway run` prints, and what may not change it.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "cli_fixture.h"
#include "kernels/kernel_set.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;

class RunTest : public CliTest {
 protected:
  // The JSON that the run prints, which must be all it prints.
  Json RunJson(Args args, const ProcessOptions& options = {}) const {
    args.insert(args.begin(), "run");
    args.emplace_back("--json");
    const Outcome outcome = HeadwayOk(args, options);
    Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out;
    return json;
  }
};

uint64_t Sum(const Json& array) {
  return std::accumulate(array.begin(), array.end(), uint64_t{0},
                         [](uint64_t sum, const Json& item) { return sum + item.get<uint64_t>(); });
}

TEST_F(RunTest, Text_IsPromptThenContinuation) {
  const std::string package = Package();
  const Json json = RunJson({package, "-p", "hello", "-n", "8"});
  const Outcome plain = HeadwayOk({"run", package, "-p", "hello", "-n", "8"});
  EXPECT_EQ(plain.out, "hello" + json["text"].get<std::string>() + "\n");
  EXPECT_EQ(plain.err, "");
  EXPECT_EQ(json["generated_ids"].size(), 8U);
  EXPECT_EQ(json["stop_reason"], "max_tokens");
  WriteFile(Path("prompt"), "hello");
  EXPECT_EQ(HeadwayOk({"run", package, "--prompt-file", Path("prompt"), "-n", "8"}).out, plain.out);
  EXPECT_EQ(
      HeadwayOk({"run", package, "--prompt-file", "-", "-n", "8"}, {.stdin_text = "hello"}).out,
      plain.out);
  EXPECT_EQ(HeadwayOk({"run", package, "-p", "hello", "-n", "8"}, {.close_stdin = true}).out,
            plain.out);
}

TEST_F(RunTest, KvInQ8_TakesHalfTheMemoryAndIsShown) {
  const std::string package = Package();
  const Json f16 = RunJson({package, "-p", "hello", "-n", "4"});
  const Json q8 = RunJson({package, "-p", "hello", "-n", "4", "--kv", "q8_0"});
  EXPECT_EQ(f16["kv"], "f16");
  EXPECT_EQ(q8["kv"], "q8_0");
  EXPECT_EQ(q8["counters"]["kv_bytes"].get<uint64_t>() * 32,
            f16["counters"]["kv_bytes"].get<uint64_t>() * 17);
  EXPECT_NE(q8["counters"]["logits_hash"], f16["counters"]["logits_hash"]);
  const Outcome wrong = Headway({"run", package, "-p", "a", "--kv", "q4_0"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("expected f16 or q8_0, found 'q4_0'"), std::string::npos) << wrong.err;
  EXPECT_NE(HeadwayOk({"inspect", package}).out.find("a token in f16, "), std::string::npos);
}

TEST_F(RunTest, IdsAndChat_PrintTheContinuationOnly) {
  const std::string package = Package();
  const Json json = RunJson({package, "--ids", "5,6 7", "-n", "4", "--logprobs"});
  EXPECT_EQ(json["prompt_ids"], Json({5, 6, 7}));
  EXPECT_EQ(json["logprobs"].size(), 4U);
  EXPECT_EQ(HeadwayOk({"run", package, "--ids", "5,6 7", "-n", "4"}).out,
            json["text"].get<std::string>() + "\n");
  const Outcome chat =
      HeadwayOk({"run", package, "--chat", "--system", "brief", "-p", "XYZ", "-n", "4"});
  EXPECT_EQ(chat.out.find("XYZ"), std::string::npos);
}

TEST_F(RunTest, Special_ParsesWhatThePromptSpells) {
  const std::string package = Package();
  const Args args = {package, "-p", "a<|end|>", "-n", "1"};
  Args special = args;
  special.emplace_back("--special");
  const Json plain_ids = RunJson(args)["prompt_ids"];
  const Json special_ids = RunJson(special)["prompt_ids"];
  EXPECT_LT(special_ids.size(), plain_ids.size());
  const Outcome plain = HeadwayOk({"run", package, "-p", "a<|end|>", "-n", "1"});
  EXPECT_EQ(plain.err,
            "headway: the prompt spells the special token '<|end|>', read as text (--special)\n");
  ExpectRefused({"run", package, "--chat", "-p", "a", "--special"},
                {"--special: expected a prompt of text without --chat, found it"});
}

TEST_F(RunTest, ChatFlags_ReachTheTemplate) {
  const std::string package = Package();
  const auto ids = [&](Args args) {
    args.insert(args.begin(), {package, "--chat", "-n", "1"});
    return RunJson(args)["prompt_ids"];
  };
  WriteFile(Path("messages"),
            R"([{"role": "user", "content": [{"type": "text", "text": "XYZ"}]}])");
  EXPECT_EQ(ids({"--messages", Path("messages")}), ids({"-p", "XYZ"}));
  WriteFile(Path("tools"), R"([{"name": "f"}])");
  WriteFile(Path("template"),
            "{{ '<|user|>' ~ messages[0].content ~ (tools | tojson if tools) ~ (extra or '') }}");
  const Args own = {"-p", "q", "--chat-template", Path("template")};
  Args more = own;
  more.insert(more.end(),
              {"--tools", Path("tools"), "--chat-template-kwargs", R"({"extra": "!"})"});
  EXPECT_EQ(ids(own).size() + std::string(R"([{"name": "f"}]!)").size(), ids(more).size());
  EXPECT_EQ(Headway({"run", package, "-p", "q", "--tools", Path("tools")}).status, 2);
  const Outcome wrong =
      Headway({"run", package, "--chat", "-p", "q", "--chat-template-kwargs", "{"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("line 1, column 2"), std::string::npos) << wrong.err;
}

TEST_F(RunTest, Gguf_IsPackedOnce) {
  const Args args = {"run", TinyPhi(), "-p", "a", "-n", "2"};
  EXPECT_NE(HeadwayOk(args).err.find("packing " + TinyPhi() + " once into " + Path("cache")),
            std::string::npos);
  EXPECT_EQ(HeadwayOk(args).err, "");
  HeadwayOk({"run", TinyPhi(), "-p", "a", "-n", "2", "--head", "full:4"});
  EXPECT_EQ(HeadwayOk({"run", TinyPhi(), "-p", "a", "-n", "2", "--head", "full:04"}).err, "");
}

TEST_F(RunTest, InvalidUtf8InAPrompt_IsTakenByteForByte) {
  WriteFile(Path("bytes"), std::string("a\xff\xfe b"));
  const Outcome plain = HeadwayOk({"run", Package(), "--prompt-file", Path("bytes"), "-n", "3"});
  EXPECT_EQ(plain.out.substr(0, 5), "a\xff\xfe b");
}

TEST_F(RunTest, ContextFull_StopsAndSaysSo) {
  const Outcome outcome =
      HeadwayOk({"run", Package(), "-p", std::string(500, 'a'), "-n", "100", "--ignore-end"});
  EXPECT_EQ(outcome.err, "headway: stopped at the model's context of 512 tokens\n");
  const Json json = RunJson({Package(), "-p", std::string(512, 'a')});
  EXPECT_EQ(json["stop_reason"], "context_full");
  EXPECT_TRUE(json["generated_ids"].empty());
}

TEST_F(RunTest, Seed_DecidesTheText) {
  const auto ids = [&](const char* seed) {
    return RunJson({Package(), "-p", "hello", "-n", "20", "--temp", "5", "--seed", seed,
                    "--ignore-end"})["generated_ids"];
  };
  EXPECT_EQ(ids("7"), ids("7"));
  EXPECT_NE(ids("7"), ids("8"));
}

TEST_F(RunTest, WithoutASeed_OneIsDrawnAndSaid) {
  const Args base = {Package(), "-p", "hello", "-n", "20", "--temp", "5", "--ignore-end"};
  Args any = base;
  any.insert(any.end(), {"--seed", "-1"});
  const Json first = RunJson(base);
  const Json second = RunJson(any);
  EXPECT_NE(first["seed"], second["seed"]);
  EXPECT_NE(first["generated_ids"], second["generated_ids"]);
  const std::string seed = std::to_string(first["seed"].get<uint64_t>());
  Args again = base;
  again.insert(again.end(), {"--seed", seed});
  EXPECT_EQ(RunJson(again)["generated_ids"], first["generated_ids"]);
  again.insert(again.begin(), "run");
  again.emplace_back("--profile");
  EXPECT_NE(HeadwayOk(again).err.find("seed " + seed + "\n"), std::string::npos);
  for (const char* wrong : {"-2", "x", "1.5", "18446744073709551616"})
    ExpectRefused({"run", Package(), "-p", "a", "--seed", wrong}, {"--seed", wrong});
}

TEST_F(RunTest, StopStrings_EndTheTextBeforeThem) {
  const Args base = {Package(), "-p", "hello", "-n", "30", "--ignore-end"};
  const std::string whole = RunJson(base)["text"].get<std::string>();
  ASSERT_GE(whole.size(), 20U);
  // Somewhere inside, in characters that JSON leaves as they are.
  size_t at = 8;
  while (at + 3 < whole.size() && (whole[at] & 0x80) != 0) ++at;
  const std::string stop = whole.substr(at, 2);
  const Json stopped = [&] {
    Args args = base;
    args.insert(args.end(), {"--stop", "never there", "--stop", stop});
    return RunJson(args);
  }();
  EXPECT_EQ(stopped["text"], whole.substr(0, whole.find(stop)));
  EXPECT_EQ(stopped["stop_reason"], "stop");
  EXPECT_LT(stopped["generated_ids"].size(), 30U);
  Args printed = base;
  printed.insert(printed.begin(), "run");
  printed.insert(printed.end(), {"--stop", stop});
  EXPECT_EQ(HeadwayOk(printed).out, "hello" + whole.substr(0, whole.find(stop)) + "\n");
  ExpectRefused({"run", Package(), "-p", "a", "--stop", ""}, {"--stop"});
}

TEST_F(RunTest, OthersNamesForTheNumberOfTokens_AreKnown) {
  for (const char* name : {"-n", "--tokens", "--n-predict", "--max-tokens"})
    EXPECT_EQ(
        RunJson({Package(), "-p", "hello", name, "3", "--ignore-end"})["generated_ids"].size(), 3U);
}

TEST_F(RunTest, ThreadsHeadsTopologiesAndInstructionSets_DoNotChangeTheBits) {
  const Args base = {Package(),      "-p",        "hello", "-n", "66",
                     "--ignore-end", "--threads", "1"};  // beyond the LongRoPE border of 64
  const Json expected = RunJson(base);
  const auto same = [&](const Json& found, const std::string& way) {
    EXPECT_EQ(found["generated_ids"], expected["generated_ids"]) << way;
    EXPECT_EQ(found["counters"]["logits_hash"], expected["counters"]["logits_hash"]) << way;
  };
  const auto with = [&](const Args& more) {
    Args args = base;
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  for (const char* head : {"full:1", "full:2", "full:3", "full:4"})
    same(RunJson(with({"--head", head})), head);
  Args two = base;
  two.back() = "2";
  same(RunJson(two), "2 threads");
  for (const char* load : {"map", "copy"}) same(RunJson(with({"--load", load})), load);
  for (const char* topology : {"1", "2", "0:1,1:2"}) {
    Args args = with({"--topology", topology});
    args[0] = TinyPhi();
    same(RunJson(args), topology);
  }
  for (const kernels::KernelSet* set : kernels::SupportedSets()) {
    if (set == nullptr) continue;
    const std::string name(set->name);
    const Json found = RunJson(base, {.environment = {{"HEADWAY_CPU", name}}});
    EXPECT_EQ(found["model"]["instruction_set"], name);
    same(found, name);
  }
}

TEST_F(RunTest, Counters_AreAllThereAndAddUp) {
  const Json json =
      RunJson({Package(), "-p", "hello", "-n", "9", "--ignore-end", "--head", "full:3"});
  const Json& c = json["counters"];
  for (const char* name : {"steps",
                           "step_ns",
                           "embed_ns",
                           "rope_mask_ns",
                           "layers_ns",
                           "layer_shard_ns",
                           "head_ns",
                           "head_predict_ns",
                           "head_predict_shard_work_ns",
                           "head_shard_ns",
                           "head_reduce_ns",
                           "head_reduce_shard_work_ns",
                           "head_bytes_read",
                           "head_rows_screened",
                           "head_rows_rescored",
                           "head_planes_read",
                           "head_fallbacks",
                           "head_switched_to_full",
                           "head_winners_kept",
                           "head_winners_dropped",
                           "head_skipped",
                           "layers_bytes_read",
                           "layers_meetings",
                           "head_meetings",
                           "prefill_tokens",
                           "prefill_ns",
                           "cache_rebuilds",
                           "kv_bytes",
                           "logits_hash"}) {
    EXPECT_TRUE(c.contains(name)) << name;
  }
  const auto value = [&](const char* name) { return c[name].get<uint64_t>(); };
  EXPECT_EQ(value("steps"), 8U);  // the first new token belongs to the prefill
  EXPECT_EQ(value("prefill_tokens"), json["prompt_ids"].size());
  EXPECT_EQ(value("head_skipped"), value("prefill_tokens") - 1);
  EXPECT_EQ(value("cache_rebuilds"), 0U);
  EXPECT_EQ(c["head_shard_ns"].size(), 3U);
  EXPECT_EQ(c["layer_shard_ns"].size(), 1U);
  EXPECT_LE(value("head_predict_ns") + value("head_reduce_ns"), value("head_ns"));
  EXPECT_LE(value("embed_ns") + value("rope_mask_ns") + value("layers_ns") + value("head_ns"),
            value("step_ns"));
  EXPECT_LE(Sum(c["layer_shard_ns"]), value("layers_ns"));
  EXPECT_EQ(Sum(c["head_shard_ns"]), value("head_predict_shard_work_ns"));
  EXPECT_LE(value("step_p50_ns"), value("step_p99_ns"));
  EXPECT_EQ(value("head_bytes_read") + value("layers_bytes_read"),
            value("steps") * json["model"]["weight_bytes_per_token"].get<uint64_t>());
  // A team of two waits as often in every step: of each layer at least once, and for the head.
  const auto with_threads = [&](const char* threads) {
    const Json run =
        RunJson({Package(), "-p", "hello", "-n", "9", "--ignore-end", "--threads", threads});
    return run["counters"];
  };
  const Json one = with_threads("1");
  EXPECT_EQ(one["layers_meetings"].get<uint64_t>() + one["head_meetings"].get<uint64_t>(), 0U);
  const Json two = with_threads("2");
  for (const char* name : {"layers_meetings", "head_meetings"}) {
    EXPECT_GE(two[name].get<uint64_t>(), value("steps")) << name;
    EXPECT_EQ(two[name].get<uint64_t>() % value("steps"), 0U) << name;
  }
  const Json across = RunJson({Package(), "-p", std::string(60, 'a'), "-n", "10", "--ignore-end"});
  EXPECT_EQ(across["counters"]["cache_rebuilds"], 1);
}

TEST_F(RunTest, Profile_IsATableOnStderr) {
  const Outcome outcome = HeadwayOk({"run", Package(), "-p", "hello", "-n", "9", "--ignore-end",
                                     "--profile", "--head", "full:2"});
  EXPECT_EQ(outcome.out.rfind("hello", 0), 0U);
  EXPECT_EQ(outcome.out.find("projection"), std::string::npos);
  std::vector<std::string> rows;
  std::vector<size_t> widths;
  const size_t begin = outcome.err.find("part  ");
  ASSERT_NE(begin, std::string::npos);
  const std::string table = outcome.err.substr(begin, outcome.err.find("\n\n", begin) - begin);
  for (size_t at = 0; at < table.size();) {
    const size_t end = std::min(table.find('\n', at), table.size());
    const std::string line = table.substr(at, end - at);
    rows.push_back(line.substr(0, line.find("  ", line.find_first_not_of(' '))));
    widths.push_back(line.find(" %"));
    at = end + 1;
  }
  EXPECT_EQ(rows,
            (std::vector<std::string>{"part", "step", "  embedding", "  rotary tables", "  layers",
                                      "    layers 0:2", "  head", "    projection", "      shard 0",
                                      "      shard 1", "    selection", "  other"}));
  EXPECT_EQ(std::count(widths.begin() + 1, widths.end(), widths[1]),
            static_cast<int64_t>(widths.size()) - 1)
      << table;
  for (const char* part :
       {"model ", "device ", "prefill ", "decode ", "8 steps", "hash of the last logits"}) {
    EXPECT_NE(outcome.err.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace headway::cli_test
