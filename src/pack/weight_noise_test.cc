#include "pack/weight_noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace headway::pack {
namespace {

// The best table of a normal distribution, found as its source found it: values at the means of
// their cells, cells ending midway.
double BestNoise(size_t count) {
  const auto density = [](double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI); };
  const auto below = [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); };
  std::vector<double> table(count);
  for (size_t i = 0; i < count; ++i)
    table[i] = -3 + 6 * (static_cast<double>(i) + 0.5) / static_cast<double>(count);
  double power = 0;
  for (int round = 0; round < 20000; ++round) {
    power = 0;
    double begin = -INFINITY;
    std::vector<double> next(count);
    for (size_t i = 0; i < count; ++i) {
      const double end = i + 1 < count ? 0.5 * (table[i] + table[i + 1]) : INFINITY;
      const double mass = below(end) - below(begin);
      next[i] =
          ((std::isinf(begin) ? 0 : density(begin)) - (std::isinf(end) ? 0 : density(end))) / mass;
      power += mass * next[i] * next[i];
      begin = end;
    }
    table = std::move(next);
  }
  return 1 - power;  // of a variance of one: what the cells' means do not carry
}

TEST(WeightNoiseTest, OfTables_IsThatOfTheBestOnes) {
  EXPECT_NEAR(WeightNoise("lut1"), BestNoise(2), 1e-3);
  EXPECT_NEAR(WeightNoise("lut2"), BestNoise(4), 1e-3);
  EXPECT_NEAR(WeightNoise("lut3"), BestNoise(8), 1e-3);
  EXPECT_NEAR(WeightNoise("lut4"), BestNoise(16), 1e-4);
  EXPECT_NEAR(WeightNoise("lut6") / BestNoise(64), 1, 0.1);
}

TEST(WeightNoiseTest, GrowsThroughLayersAsTheirSum) {
  EXPECT_EQ(WeightNoise(""), 0);
  EXPECT_EQ(HiddenNoise(0, 32), 0);
  EXPECT_NEAR(HiddenNoise(0.01, 1), 3 * 0.01 * 1.5, 1e-12);
  EXPECT_NEAR(HiddenNoise(0.01, 6), 3 * 0.01 * 3.1032, 1e-5);
}

}  // namespace
}  // namespace headway::pack
