// What `headway bench` prints. No time is checked.

#include <nlohmann/json.hpp>
#include <set>

#include "cli_fixture.h"

namespace headway::cli_test {
namespace {

using Json = nlohmann::json;
using BenchTest = CliTest;

TEST_F(BenchTest, Json_HoldsEveryLineOfTheTable) {
  const std::string package = Package();
  const Args common = {package, "--rounds", "1", "--tokens", "2", "--json"};
  const auto rows = [&](const std::string& what) {
    Args args = {"bench", what};
    args.insert(args.end(), common.begin(), common.end());
    const Outcome outcome = HeadwayOk(args);
    const Json json = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << outcome.out;
    EXPECT_EQ(json["model"]["package"], package);
    return json["rows"];
  };
  std::set<std::string> heads;
  for (const Json& row : rows("head")) {
    EXPECT_EQ(row["table"], "head");
    EXPECT_GT(row["ms"].get<double>(), 0.0);
    heads.insert(row["row"].get<std::string>());
  }
  EXPECT_EQ(heads, (std::set<std::string>{"full:1", "full:2", "full:3", "full:4"}));
  const Json batch = rows("batch");
  ASSERT_EQ(batch.size(), 4U);
  EXPECT_EQ(batch[0]["ratio"], 1.0);
  // The model's context is 512 tokens: of the lengths of the table, only 128 fits.
  const Json context = rows("context");
  ASSERT_EQ(context.size(), 1U);
  EXPECT_EQ(context[0]["row"], "128 tokens");
  EXPECT_GT(context[0]["kv_bytes"].get<double>(), 0.0);
}

TEST_F(BenchTest, Lookup_IsComparedWithPlainDecodingOnAText) {
  WriteFile(Path("text.txt"), "one two three one two three one two");
  const Outcome outcome =
      HeadwayOk({"bench", "speculate", Package(), "--prompt-file", Path("text.txt"), "--rounds",
                 "1", "--tokens", "24", "--json"});
  const Json json = Json::parse(outcome.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << outcome.out;
  ASSERT_EQ(json["rows"].size(), 2U);
  EXPECT_EQ(json["rows"][0]["row"], "plain");
  EXPECT_EQ(json["rows"][0]["drafted"], 0.0);
  EXPECT_EQ(json["rows"][1]["row"], "lookup");
  EXPECT_GE(json["rows"][1]["drafted"], json["rows"][1]["accepted"]);
  HeadwayOk({"bench", "speculate", Package(), "--prompt-file", Path("text.txt"), "--rounds", "1",
             "--tokens", "24", "--sampled"});
  // A text that does not fit is an error, as everywhere.
  const Outcome full = Headway({"bench", "speculate", Package(), "--prompt-file", Path("text.txt"),
                                "--rounds", "1", "--tokens", "100000"});
  EXPECT_EQ(full.status, 2);
  EXPECT_NE(full.err.find("sequence: expected at most"), std::string::npos) << full.err;
}

TEST_F(BenchTest, Sampled_IsForTablesThatSample) {
  ExpectRefused({"bench", "chain", Package(), "--sampled"}, {"--sampled: expected", "neither"});
}

}  // namespace
}  // namespace headway::cli_test
