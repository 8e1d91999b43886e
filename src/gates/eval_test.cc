#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "gates/agreement.h"
#include "gates/perplexity.h"

namespace headway::gates {
namespace {

// Logits that give token (position mod 4) the probability 1/2 and the three others 1/6 each.
LogitsSource Table(std::vector<std::vector<int32_t>>* sequences) {
  return [sequences](std::span<const int32_t> ids, int64_t first, const LogitsSink& sink) {
    sequences->emplace_back(ids.begin(), ids.end());
    for (auto p = first; p < static_cast<int64_t>(ids.size()); ++p) {
      std::vector<float> logits(4, 0.0F);
      logits[static_cast<size_t>(p % 4)] = std::log(3.0F);
      sink(p, logits);
    }
    return Result<void>{};
  };
}

TEST(Perplexity, SecondHalvesOfWholeWindows_AreScored) {
  // Windows of 8: positions 4, 5, 6 are scored, with the tokens at 5, 6, 7.
  std::vector<int32_t> ids(20, 3);
  ids[5] = 0;      // position 4 says 0: probability 1/2
  ids[8 + 6] = 1;  // position 5 says 1: probability 1/2
  std::vector<std::vector<int32_t>> sequences;
  const auto report = Perplexity(ids, {.window_tokens = 8}, Table(&sequences));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->windows, 2);
  EXPECT_EQ(report->scored_tokens, 6);
  EXPECT_EQ(report->text_tokens, 20);
  EXPECT_NEAR(report->perplexity, std::pow(2.0 * 2 * 6 * 6 * 6 * 6, 1.0 / 6), 1e-6);
  ASSERT_EQ(sequences.size(), 2U);
  EXPECT_EQ(sequences[0].size(), 7U);  // the last token is only predicted
}

TEST(Perplexity, FirstToken_IsReplacedInEveryWindow) {
  std::vector<std::vector<int32_t>> sequences;
  const std::vector<int32_t> ids(16, 2);
  const auto report =
      Perplexity(ids, {.window_tokens = 8, .max_windows = 2, .first_token = 1}, Table(&sequences));
  ASSERT_TRUE(report.has_value());
  for (const auto& sequence : sequences) {
    EXPECT_EQ(sequence.front(), 1);
    EXPECT_EQ(sequence[1], 2);
  }
}

TEST(Perplexity, TooShortText_IsRefused) {
  std::vector<std::vector<int32_t>> sequences;
  const auto report =
      Perplexity(std::vector<int32_t>(7, 0), {.window_tokens = 8}, Table(&sequences));
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().message,
            "perplexity: expected a text of at least one window of 8 tokens, found 7");
}

TEST(CompareRows, EqualRows_HaveNoError) {
  const std::vector<double> reference = {1.0, 3.0, 2.5};
  const std::vector<float> logits = {1.0F, 3.0F, 2.5F};
  const RowComparison row = CompareRows(reference, logits);
  EXPECT_EQ(row.token, 1);
  EXPECT_EQ(row.reference_token, 1);
  EXPECT_EQ(row.reference_gap, 0.5);
  EXPECT_EQ(row.largest_error, 0.0);
  EXPECT_NEAR(row.kl, 0.0, 1e-15);
}

TEST(CompareRows, KnownDistributions_GiveTheirDivergence) {
  const std::vector<double> reference = {std::log(0.5), std::log(0.5)};
  const std::vector<float> logits = {std::log(0.25F), std::log(0.75F)};
  const RowComparison row = CompareRows(reference, logits);
  EXPECT_NEAR(row.kl, 0.5 * std::log(2.0) + 0.5 * std::log(0.5 / 0.75), 1e-6);
  EXPECT_NEAR(row.largest_error, std::log(2.0), 1e-6);
  // A shift of all logits is an error of each, but no divergence.
  const std::vector<float> shifted = {5.0F, 5.0F};
  EXPECT_NEAR(CompareRows(reference, shifted).kl, 0.0, 1e-12);
}

TEST(AgreementReport, MismatchBeyondTheLargestError_IsUnexplained) {
  AgreementReport report;
  report.positions = 4;
  report.largest_logit_error = 0.1;
  report.mismatches = {{.position = 1, .reference_gap = 0.05},
                       {.position = 2, .reference_gap = 0.2}};
  EXPECT_EQ(report.UnexplainedMismatches(), 1);
  EXPECT_EQ(report.TopOneAgreement(), 0.5);
}

}  // namespace
}  // namespace headway::gates
