// --head reduced:K and --usage as a user gives them.

#include <nlohmann/json.hpp>

#include "cli_fixture.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;

class ReducedTest : public CliTest {
 protected:
  Json RunJson(Args args) const {
    args.insert(args.begin(), "run");
    args.emplace_back("--json");
    return Json::parse(HeadwayOk(args).out, nullptr, false);
  }
};

TEST_F(ReducedTest, Run_GivesTheFullHeadsTokens) {
  const std::string model = TinyPhi();
  WriteFile(Path("usage.txt"), "a text of the kind that is to come");
  const Args base = {model, "-p", "hello", "-n", "30", "--ignore-end"};
  const Json full = RunJson(base);
  for (const Args& more :
       {Args{"--head", "reduced:40"}, Args{"--head", "reduced:40", "--usage", Path("usage.txt")}}) {
    Args with = base;
    with.insert(with.end(), more.begin(), more.end());
    const Json reduced = RunJson(with);
    EXPECT_EQ(reduced["model"]["head"], "reduced:40");
    EXPECT_EQ(reduced["generated_ids"], full["generated_ids"]);
    EXPECT_LE(reduced["counters"]["head_rest_needed"], reduced["counters"]["steps"]);
    EXPECT_EQ(reduced["certificates"].size(), reduced["generated_ids"].size());
  }
}

TEST_F(ReducedTest, Pack_SharesRowsAndPlanesAmongHeads) {
  const std::string model = TinyPhi();
  WriteFile(Path("usage.txt"), "usage");
  HeadwayOk({"pack", model, "-o", Path("both"), "--head", "full:2,certified,reduced:20,reduced:30",
             "--usage", Path("usage.txt")});
  const Json full = RunJson({Path("both"), "-p", "hello", "-n", "12", "--allow-ungated"});
  for (const char* head : {"certified", "reduced:20", "reduced:30"}) {
    const Json other =
        RunJson({Path("both"), "-p", "hello", "-n", "12", "--allow-ungated", "--head", head});
    EXPECT_EQ(other["generated_ids"], full["generated_ids"]) << head;
  }
}

TEST_F(ReducedTest, Mistakes_AreNamed) {
  const std::string model = TinyPhi();
  WriteFile(Path("usage.txt"), "usage");
  ExpectRefused({"run", model, "-p", "x", "--head", "reduced"}, {"expected reduced:K"});
  ExpectRefused({"run", model, "-p", "x", "--head", "reduced:320"},
                {"reduced:320", "expected fewer rows than the vocabulary's 320"});
  ExpectRefused({"run", model, "-p", "x", "--head", "full:2", "--usage", Path("usage.txt")},
                {"--usage: expected a GGUF and --head auto, certified or reduced:K, found another "
                 "head"});
  ExpectRefused({"run", Package(), "-p", "x", "--usage", Path("usage.txt")}, {"found a package"});
  ExpectRefused({"pack", model, "-o", Path("p"), "--head", "reduced:9", "--usage", Path("none")},
                {"none"});
}

}  // namespace
}  // namespace headway::cli_test
