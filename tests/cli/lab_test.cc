// headway lab: a small experiment with one command.

#include <nlohmann/json.hpp>

#include "cli_fixture.h"

namespace headway::cli_test {
namespace {

using LabCommand = CliTest;

TEST_F(LabCommand, Experiment_WritesResultsEntryAndPage) {
  const nlohmann::json spec = {
      {"name", "tiny"},
      {"title", "Tiny"},
      {"intent", "To see it run."},
      {"model", TinyPhi()},
      {"baseline", "a"},
      {"measure", {{"repeats", 2}, {"warm_up", 0}, {"tokens", 3}, {"context", 4}, {"threads", 1}}},
      {"variants", {{{"name", "a"}, {"head", "full:2"}}, {{"name", "b"}, {"head", "full:1"}}}}};
  WriteFile(Path("spec.json"), spec.dump());
  const Args args = {"lab", Path("spec.json"), "-o", Path("out"), "--machine", "a test"};
  const Outcome outcome = HeadwayOk(args);
  EXPECT_NE(outcome.out.find(Path("out/tiny.html")), std::string::npos) << outcome.out;
  const auto results = nlohmann::json::parse(ReadFile(Path("out/results.json")), nullptr, false);
  ASSERT_FALSE(results.is_discarded());
  EXPECT_EQ(results["rounds_done"], 2);
  EXPECT_EQ(results["machine"], "a test");
  EXPECT_NE(ReadFile(Path("out/tiny.md")).find("## Surprise"), std::string::npos);
  EXPECT_NE(ReadFile(Path("out/tiny.html")).find("<svg"), std::string::npos);
  HeadwayOk(args);  // goes on from what is there: nothing is left to do
}

TEST_F(LabCommand, BadSpecification_IsRefused) {
  WriteFile(Path("spec.json"), "{\"name\": 3}");
  ExpectRefused({"lab", Path("spec.json"), "-o", Path("out")}, {"name: expected text, found 3"});
  ExpectRefused({"lab", Path("none.json"), "-o", Path("out")}, {Path("none.json")});
}

}  // namespace
}  // namespace headway::cli_test
