// headway gate, and what run does with its results.

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli_fixture.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;

class GateCommand : public CliTest {
 protected:
  Args Run(const Args& more = {}) {
    Args args = {"run", Path("package"), "-p", "a", "-n", "2"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
};

TEST_F(GateCommand, GoodPackage_PassesAndRunsInSilence) {
  const Outcome packed = HeadwayOk({"pack", TinyPhi(), "-o", Path("package"), "--gate"});
  for (const char* gate :
       {"residency: passed", "arithmetic: passed", "quality: passed", "quality-kv-q8_0: passed"})
    EXPECT_NE(packed.out.find(gate), std::string::npos) << packed.out;
  EXPECT_EQ(HeadwayOk(Run()).err, "");
  const Outcome gated = HeadwayOk({"gate", "all", Path("package"), "--json", "--threads", "1"});
  const Json json = Json::parse(gated.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << gated.out;
  EXPECT_EQ(json["passed"], true);
  EXPECT_EQ(json["gates"].size(), 4U);
  EXPECT_GT(json["residency"][0]["ops"].size(), 10U);
  EXPECT_GT(json["arithmetic"].size(), 5U);
  EXPECT_GT(json["quality"]["lowest_cosine"].get<double>(), 0.99);
  EXPECT_GT(json["quality_q8_kv"]["lowest_cosine"].get<double>(), 0.99);
  EXPECT_EQ(HeadwayOk(Run({"--kv", "q8_0"})).err, "");
}

TEST_F(GateCommand, FailedPackage_IsRefusedByRunUntilAllowed) {
  HeadwayOk({"pack", TinyPhi(), "-o", Path("package"), "--no-goldens"});
  EXPECT_NE(HeadwayOk(Run()).err.find("never gated"), std::string::npos);
  EXPECT_EQ(HeadwayOk(Run({"--allow-ungated"})).err, "");
  const Outcome failed = Headway({"gate", "residency", Path("package")},
                                 {.environment = {{"HEADWAY_CPU", "reference"}}});
  EXPECT_EQ(failed.status, 1);
  EXPECT_NE(failed.out.find("residency: FAILED"), std::string::npos) << failed.out;
  EXPECT_EQ(failed.err, "headway: " + Path("package") + ": a gate failed\n");
  const Outcome refused = Headway(Run());
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.out, "");
  EXPECT_NE(refused.err.find("the gate residency failed"), std::string::npos) << refused.err;
  EXPECT_EQ(HeadwayOk(Run({"--allow-ungated"})).err, "");
}

// What a Mac's owner sends (docs/mac.md): also when nothing could be gated.
TEST_F(GateCommand, Report_HasTheMachineAndTheGates_OrWhyThereAreNone) {
  HeadwayOk({"pack", TinyPhi(), "-o", Path("package"), "--no-goldens"});
  const std::string file = Path("report.json");
  HeadwayOk({"gate", "residency", Path("package"), "--report=" + file});
  const auto read = [&] { return Json::parse(std::ifstream(file), nullptr, false); };
  const Json good = read();
  ASSERT_FALSE(good.is_discarded());
  EXPECT_NE(good["system"].get<std::string>().find("Linux"), std::string::npos);
  EXPECT_FALSE(good["processor"].get<std::string>().empty());
  EXPECT_EQ(good["report"]["passed"], true);
  EXPECT_EQ(
      Headway({"gate", "residency", Path("package"), "--report=" + file, "--compute-units", "all"})
          .status,
      2);
  const auto error = [&] { return read()["error"].get<std::string>(); };
  EXPECT_NE(error().find("of the device cpu, found 'all'"), std::string::npos);
  EXPECT_EQ(Headway({"gate", "all", Path("nothing"), "--report=" + file}).status, 2);
  EXPECT_NE(error().find("expected a package directory"), std::string::npos);
  EXPECT_EQ(Headway({"gate", "all", Path("package"), "--report=" + file, "--reference",
                     Path("none.gguf")})
                .status,
            2);
  EXPECT_NE(error().find("none.gguf"), std::string::npos);
}

TEST_F(GateCommand, GoldensCanBeAddedLater) {
  HeadwayOk({"pack", TinyPhi(), "-o", Path("package"), "--no-goldens"});
  const Outcome without = Headway({"gate", "golden", Path("package")});
  EXPECT_EQ(without.status, 2);
  EXPECT_NE(without.err.find("--reference"), std::string::npos) << without.err;
  HeadwayOk({"gate", "golden", Path("package"), "--reference", TinyPhi()});
  HeadwayOk({"gate", "golden", Path("package")});
  EXPECT_EQ(HeadwayOk(Run()).err, "");
}

TEST_F(GateCommand, Nonsense_IsRefused) {
  ExpectRefused({"gate", "everything", "p"}, {"expected residency, golden or all"});
  ExpectRefused({"gate", "all", TinyPhi()}, {"expected a package directory"});
  ExpectRefused({"gate", "all", Path("nothing")}, {"expected a package directory"});
}

}  // namespace
}  // namespace headway::cli_test
