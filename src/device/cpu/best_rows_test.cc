#include "device/cpu/best_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace headway::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The winner of rows offered in two parts by two members, each part also cut in two, in both
// orders.
BestRow WinnerOf(const std::vector<float>& logits) {
  const auto kernels = kernels::SelectKernels("");
  EXPECT_TRUE(kernels.has_value());
  const auto n = logits.size();
  const std::span<const float> all = logits;
  std::vector<BestRow> winners;
  for (const int first : {0, 1}) {
    BestRows best(2, 3);
    for (int member = 0; member < 2; ++member) best.Reset(member, 3);
    const size_t cuts[] = {0, n / 4, n / 2, n - 1, n};
    for (size_t part = 0; part < 4; ++part) {
      const auto piece = all.subspan(cuts[part], cuts[part + 1] - cuts[part]);
      if (piece.empty()) continue;
      const int member = part < 2 ? first : 1 - first;
      best.Offer(member, 2, piece, static_cast<int64_t>(cuts[part]), kernels->kernels);
    }
    winners.push_back(best.Winner(2));
    EXPECT_EQ(best.Winner(0).row, -1) << "nothing was offered for token 0";
  }
  EXPECT_EQ(winners[0].row, winners[1].row);
  return winners[0];
}

TEST(BestRows, TheLargest_AndTheLowestRowAmongEquals) {
  EXPECT_EQ(WinnerOf({1, 2, 3, 4, 5, 6, 7, 8}).row, 7);
  EXPECT_EQ(WinnerOf({9, 2, 3, 4, 5, 6, 7, 8}).row, 0);
  EXPECT_EQ(WinnerOf({1, 8, 3, 8, 8, 6, 8, 8}).row, 1);
  EXPECT_EQ(WinnerOf({-5, -5, -5, -5, -5, -5, -4, -5}).logit, -4.0F);
  EXPECT_EQ(WinnerOf({0.0F, -0.0F, 0, 0, 0, 0, 0, 0}).row, 0);
}

TEST(BestRows, WhatIsNoFiniteNumber_IsNotHidden) {
  EXPECT_EQ(WinnerOf({1, 2, 3, 4, -kInfinity, 6, 7, 8}).row, 4);
  EXPECT_EQ(WinnerOf({1, 2, 3, 4, kInfinity, 6, -kInfinity, kNan}).row, 4);
  const BestRow nan = WinnerOf({1, 2, 3, kNan, 5, 6, 7, 8});
  EXPECT_EQ(nan.row, 3);
  EXPECT_TRUE(std::isnan(nan.logit));
}

TEST(BestRows, Reset_ForgetsTheStepBefore) {
  const auto kernels = kernels::SelectKernels("");
  BestRows best(1, 1);
  const std::vector<float> high = {9};
  const std::vector<float> low = {1};
  best.Offer(0, 0, high, 5, kernels->kernels);
  best.Reset(0, 1);
  EXPECT_EQ(best.Winner(0).row, -1);
  best.Offer(0, 0, low, 7, kernels->kernels);
  EXPECT_EQ(best.Winner(0).row, 7);
}

}  // namespace
}  // namespace headway::cpu
