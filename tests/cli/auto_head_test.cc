// --head auto, the default of run: what it takes, and that it says so.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli_fixture.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;

class AutoHeadTest : public CliTest {
 protected:
  // A head that a certified one may pay on: with a margin, winners that stand far out; with few
  // distinct rows, none that does.
  std::string WideHead(const std::string& how, const std::string& number) {
    const std::string path = Path("wide" + how + ".gguf");
    Args args = {"synth", "tiny-wide-head", "-o", path, "--type", "q8_0"};
    args.insert(args.end(), {how, number});
    HeadwayOk(args);
    return path;
  }
  Json Run(const std::string& model, const Args& more) {
    Args args = {"run", model, "-p", "hello there", "-n", "12", "--json", "--ignore-end"};
    args.insert(args.end(), more.begin(), more.end());
    return Json::parse(HeadwayOk(args).out);
  }
};

TEST_F(AutoHeadTest, WhereWinnersStandOut_TakesTheCertifiedHeadAndSaysSo) {
  const std::string model = WideHead("--margin", "10");
  const Json chosen = Run(model, {});
  EXPECT_EQ(chosen["model"]["head"], "certified");
  const auto why = chosen["model"]["head_choice"].get<std::string>();
  EXPECT_EQ(why.rfind("auto: forecast 0.", 0), 0U) << why;
  EXPECT_EQ(chosen["counters"]["head_switched_to_full"], 0);
  const Json full = Run(model, {"--head", "full:4"});
  EXPECT_EQ(full["generated_ids"], chosen["generated_ids"]);
  EXPECT_EQ(full["model"]["head_choice"], "");
  const Outcome table =
      Headway({"run", model, "--head", "auto", "-p", "x", "-n", "4", "--profile"});
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_NE(table.err.find("head certified (auto: forecast 0."), std::string::npos) << table.err;
  EXPECT_EQ(table.err.find(" once into "), std::string::npos) << table.err;  // the same package
}

TEST_F(AutoHeadTest, WhereNoneStandsOut_TakesTheFullOneAndSaysSo) {
  const Json chosen = Run(WideHead("--distinct-rows", "100"), {});
  EXPECT_EQ(chosen["model"]["head"], "full:4");
  const auto why = chosen["model"]["head_choice"].get<std::string>();
  EXPECT_EQ(why.rfind("auto: forecast ", 0), 0U) << why;
}

// Nothing is recorded for a head that a certified one cannot pay on; one that is asked for says so.
TEST_F(AutoHeadTest, OfASmallHead_TakesTheFullOneAndACertifiedOneSaysWhatItIs) {
  const Json chosen = Run(TinyPhi(), {});
  EXPECT_EQ(chosen["model"]["head"], "full:4");
  EXPECT_EQ(chosen["model"]["head_choice"], "auto: no certified head could pay");
  const Args certified = {"run", TinyPhi(), "--head", "certified", "-p", "x", "-n", "2"};
  const Outcome first = Headway(certified);
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_NE(first.err.find("is faster in full"), std::string::npos) << first.err;
  EXPECT_EQ(Headway(certified).err.find("is faster in full"), std::string::npos);
}

// The package holds both heads, on the same rows.
TEST_F(AutoHeadTest, APackageOfIt_HoldsTheFullHeadToo) {
  const std::string model = WideHead("--margin", "10");
  HeadwayOk({"pack", model, "-o", Path("package"), "--head", "auto", "--no-goldens"});
  const Json first = Run(Path("package"), {"--head", "auto", "--allow-ungated"});
  EXPECT_EQ(first["model"]["head"], "certified");
  const Json full = Run(Path("package"), {"--head", "full:4", "--allow-ungated"});
  EXPECT_EQ(full["model"]["head"], "full:4");
  EXPECT_EQ(full["generated_ids"], first["generated_ids"]);
  ExpectRefused({"pack", model, "-o", Path("p"), "--head", "auto,full:2"}, {"expected it alone"});
}

// A text of the user's makes a package of its own.
TEST_F(AutoHeadTest, UsageIsLearntFrom) {
  const std::string model = WideHead("--margin", "10");
  WriteFile(Path("usage.txt"), "a text of the kind that is to come, and more of the same kind");
  const Json with = Run(model, {"--usage", Path("usage.txt")});
  const Json without = Run(model, {});
  EXPECT_EQ(with["model"]["head"], "certified");
  EXPECT_NE(with["model"]["package"], without["model"]["package"]);
  EXPECT_EQ(with["generated_ids"], without["generated_ids"]);
}

}  // namespace
}  // namespace headway::cli_test
