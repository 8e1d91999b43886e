// `headway run --speculate` and `--probe`: the text of a plain run, and refusals.

#include <nlohmann/json.hpp>

#include "cli_fixture.h"
#include "lab/synth/synthesise.h"
#include "test_paths.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;

class SpeculateTest : public CliTest {
 protected:
  Json RunJson(Args args) const {
    args.insert(args.begin(), "run");
    args.emplace_back("--json");
    const Outcome outcome = HeadwayOk(args);
    Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out;
    return json;
  }
  std::string Synth(const std::string& name, const std::string& shape, const std::string& type) {
    std::string path = Path(name);
    EXPECT_TRUE(synth::Synthesise({.shape = shape, .type = type, .seed = 1}, path, nullptr));
    return path;
  }
};

TEST_F(SpeculateTest, Lookup_PrintsThePlainText) {
  const Args base = {Package(), "-p",           "abcabcabcabc", "-n",
                     "150",     "--ignore-end", "--threads",    "1"};
  for (const Args& sampling :
       {Args{}, Args{"--temp", "0.9", "--seed", "4"},
        Args{"--repeat-penalty", "1.2", "--top-k", "9", "--temp", "2", "--seed", "5"}}) {
    Args args = base;
    args.insert(args.end(), sampling.begin(), sampling.end());
    const Json plain = RunJson(args);
    EXPECT_EQ(plain["counters"]["step_tokens"], plain["counters"]["steps"]);
    EXPECT_EQ(plain["counters"]["speculation"]["passes"], 0);
    for (const char* how : {"lookup", "lookup:1..1", "lookup:3..16"}) {
      for (const char* most : {"1", "3", "15"}) {
        Args with = args;
        with.insert(with.end(), {"--speculate", how, "--draft-tokens", most});
        const Json found = RunJson(with);
        EXPECT_EQ(found["generated_ids"], plain["generated_ids"]) << how;
        EXPECT_EQ(found["text"], plain["text"]) << how;
        EXPECT_EQ(found["counters"]["logits_hash"], plain["counters"]["logits_hash"]) << how;
        const Json& c = found["counters"];
        EXPECT_EQ(c["step_tokens"], 149);
        EXPECT_LE(c["steps"], c["step_tokens"]);
        EXPECT_LE(c["speculation"]["accepted"], c["speculation"]["drafted"]);
        EXPECT_EQ(c["step_tokens"].get<int>() - c["steps"].get<int>(),
                  c["speculation"]["accepted"].get<int>());
      }
    }
  }
}

TEST_F(SpeculateTest, DraftModel_PrintsThePlainText) {
  const std::string small = Synth("small.gguf", "tiny-phi", "q4_0");
  const Args base = {Package(),      "-p",     "hello", "-n",     "60",
                     "--ignore-end", "--temp", "0.5",   "--seed", "6"};
  const Json plain = RunJson(base);
  Args with = base;
  with.insert(with.end(), {"--speculate", "model:" + small, "--draft-tokens", "3"});
  const Json found = RunJson(with);
  EXPECT_EQ(found["generated_ids"], plain["generated_ids"]);
  EXPECT_EQ(found["counters"]["logits_hash"], plain["counters"]["logits_hash"]);
}

TEST_F(SpeculateTest, Probe_ReportsAndChangesNothing) {
  const Args base = {Package(), "-p", "abcabcabcabc", "-n", "100", "--ignore-end"};
  Args with = base;
  with.insert(with.end(), {"--probe", "lookup:1..3"});
  const Json plain = RunJson(base);
  const Json found = RunJson(with);
  EXPECT_EQ(found["generated_ids"], plain["generated_ids"]);
  const Json& probe = found["counters"]["probe"];
  EXPECT_EQ(found["counters"]["speculation"]["passes"], 0);
  EXPECT_GT(probe["passes"], 0);
  EXPECT_LE(probe["tokens"], 100);
  EXPECT_EQ(probe["tokens"].get<int>(), probe["passes"].get<int>() + probe["accepted"].get<int>());
  uint64_t drafted = 0;
  for (const Json& each : probe["by_ngram"]) drafted += each["drafted"].get<uint64_t>();
  EXPECT_EQ(drafted, probe["drafted"].get<uint64_t>());
  with.insert(with.begin(), "run");
  with.emplace_back("--profile");
  EXPECT_NE(HeadwayOk(with).err.find("lookup would give: "), std::string::npos);
}

TEST_F(SpeculateTest, Mistakes_AreNamed) {
  const std::string package = Package();
  const auto refused = [&](const Args& more, const std::vector<std::string>& parts) {
    Args args = {"run", package, "-p", "a"};
    args.insert(args.end(), more.begin(), more.end());
    ExpectRefused(args, parts);
  };
  refused({"--speculate", "magic"},
          {"--speculate: expected lookup, lookup:MIN..MAX or model:FILE, found 'magic'"});
  refused({"--speculate", "model:"}, {"found 'model:'"});
  refused({"--speculate", "lookup:2"}, {"found 'lookup:2'"});
  refused({"--speculate", "lookup:4..2"}, {"expected 1 <= min <= max <= 16, found 4..2"});
  refused({"--speculate", "lookup:0..2"}, {"found 0..2"});
  refused({"--speculate", "lookup:2..17"}, {"found 2..17"});
  refused({"--probe", "model:x"}, {"--probe: expected lookup or lookup:MIN..MAX"});
  refused({"--probe", "lookup", "--speculate", "lookup"}, {"--probe: expected no --speculate"});
  refused({"--speculate", "lookup", "--draft-tokens", "16"},
          {"expected 1 to 15 (a step takes 16 tokens), found 16"});
  refused({"--speculate", "lookup", "--draft-tokens", "0"}, {"found 0"});
  refused({"--draft-tokens", "4"}, {"--draft-tokens: expected --speculate or --probe beside it"});
  refused({"--speculate", "lookup", "--draft-tokens", "x"}, {"expected a whole number"});
  refused({"--speculate", "model:" + Path("none")}, {Path("none"), "no such file"});
  const std::string other = SourceDirectory() + "/models/story-12m.gguf";
  refused({"--speculate", "model:" + other},
          {"draft model " + other + ": expected the model's own vocabulary (320 tokens, digest",
           "found another one ("});
  WriteFile(Path("junk"), "no model");
  refused({"--speculate", "model:" + Path("junk")}, {Path("junk")});
}

}  // namespace
}  // namespace headway::cli_test
