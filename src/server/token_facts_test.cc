#include "server/token_facts.h"

#include <gtest/gtest.h>

namespace headway::server {
namespace {

using Chooser = TokenFacts::Chooser;

// A step that chose `count` tokens.
std::vector<TokenFacts> ReadStep(TokenFactsReader* reader, const Counters& counters, size_t count,
                                 const std::vector<Certificate>& certificates = {}) {
  const std::vector<sampling::Sampler::Choice> choices(count);
  NewTokens tokens;
  tokens.choices = choices;
  tokens.certificates = certificates;
  tokens.counters = &counters;
  return reader->Read(tokens);
}

TEST(TokenFactsTest, TimesAndBytesAreTheStepsAlone) {
  TokenFactsReader reader;
  Counters counters;
  const auto first = ReadStep(&reader, counters, 1);  // the prompt's: nothing is counted
  EXPECT_FALSE(first[0].is_timed);
  EXPECT_EQ(TokenFactsJson(first[0], 1000)["head_bytes"], nullptr);
  EXPECT_EQ(TokenFactsJson(first[0], 1000)["layers_ms"], nullptr);

  counters.steps = 1;
  counters.layers_ns = 4'000'000;
  counters.head_ns = 1'000'000;
  counters.head_bytes_read = 1000;
  const auto second = ReadStep(&reader, counters, 1);
  EXPECT_EQ(second[0].chooser, Chooser::kFull);
  EXPECT_EQ(second[0].head_bytes, 1000U);

  counters.steps = 2;
  counters.layers_ns += 6'000'000;
  counters.head_ns += 2'000'000;
  counters.head_bytes_read += 1000;
  const auto drafted = ReadStep(&reader, counters, 2);
  ASSERT_EQ(drafted.size(), 2U);
  EXPECT_TRUE(drafted[0].was_drafted);
  EXPECT_FALSE(drafted[1].was_drafted);
  const Json json = TokenFactsJson(drafted[1], 1000);
  EXPECT_EQ(json["chosen_by"], "full");
  EXPECT_DOUBLE_EQ(json["layers_ms"].get<double>(), 3.0);
  EXPECT_DOUBLE_EQ(json["head_ms"].get<double>(), 1.0);
  EXPECT_DOUBLE_EQ(json["head_share"].get<double>(), 0.5);
}

TEST(TokenFactsTest, CertificatesSayWhatWasReadForEachToken) {
  TokenFactsReader reader;
  Counters counters;
  counters.steps = 1;
  counters.head_bytes_read = 77;
  const auto facts =
      ReadStep(&reader, counters, 2,
               {{.rows_exact = 3, .bytes_read = 100}, {.fallback = true, .bytes_read = 1200}});
  EXPECT_EQ(facts[0].chooser, Chooser::kCertified);
  EXPECT_EQ(facts[0].head_bytes, 100U);
  EXPECT_EQ(facts[0].rows_exact, 3U);
  EXPECT_EQ(facts[1].chooser, Chooser::kFallback);
  EXPECT_DOUBLE_EQ(TokenFactsJson(facts[1], 1000)["head_share"].get<double>(), 1.2);
}

TEST(TokenFactsTest, NoHeadRunsForForcedTokens) {
  TokenFactsReader reader;
  Counters counters;
  counters.forced_tokens = 1;
  const auto forced = ReadStep(&reader, counters, 1, {{.fallback = true}});
  EXPECT_EQ(forced[0].chooser, Chooser::kForced);
  EXPECT_FALSE(forced[0].is_timed);
  EXPECT_EQ(TokenFactsJson(forced[0], 1000)["head_share"], 0.0);
  counters.steps = 1;
  EXPECT_EQ(ReadStep(&reader, counters, 1)[0].chooser, Chooser::kFull);
}

}  // namespace
}  // namespace headway::server
