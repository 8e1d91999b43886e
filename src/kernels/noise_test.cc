// The noise: the generator's published answers, the value against libm in double precision, the
// distribution.

#include "kernels/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace headway::kernels {
namespace {

// Known answers of Philox-4x32-10 (Random123's kat_vectors).
TEST(NoiseTest, Philox_KnownAnswers) {
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

double ExactGumbel(double v) { return -std::log(-std::log1p(-v)); }

TEST(NoiseTest, Gumbel_AgainstDouble_OverTheWholeRange) {
  double worst = 0;
  for (double v = 0x1p-49; v < 1; v *= 1.0007) {
    const auto rounded = static_cast<float>(v);
    const double exact = ExactGumbel(double{std::min(rounded, kLargestUniform)});
    const double error = std::fabs(GumbelFromUniform(std::min(rounded, kLargestUniform)) - exact);
    worst = std::max(worst, error / std::max(1.0, std::fabs(exact)));
  }
  EXPECT_LT(worst, 4e-7);
}

TEST(NoiseTest, GumbelBound_IsNeverBelow_NorFarAbove) {
  const auto check = [](float v) {
    const float noise = GumbelFromUniform(v);
    EXPECT_GE(GumbelBound(v), noise) << v;
    // Below 2^-10 only the logarithm is bounded, by 0.0861 ln 2; near 1 the first step gives most.
    if (v < 0x1p-10F) {
      EXPECT_LE(GumbelBound(v), noise + 0.061F) << v;
    }
  };
  for (double v = 0x1p-49; v < 1; v *= 1.0007) check(static_cast<float>(v));
  for (float power = 0x1p-49F; power < 1.0F; power *= 2.0F) {  // where the bound is tight
    for (const float v : {power, std::nextafterf(power, 0.0F), std::nextafterf(power, 1.0F)}) {
      if (v >= 0x1p-49F) check(v);
    }
  }
  check(kLargestUniform);
}

TEST(NoiseTest, Uniform_Ends) {
  EXPECT_EQ(UniformFromBits({0, 0}), 0x1p-49F);
  EXPECT_EQ(UniformFromBits({0xffffffff, 0xffffffff}), kLargestUniform);
  EXPECT_NEAR(GumbelFromUniform(0x1p-49F), 49 * std::log(2.0), 1e-5);
  EXPECT_TRUE(std::isfinite(GumbelFromUniform(kLargestUniform)));
}

TEST(NoiseTest, DifferentSeedPositionOrId_DifferentNoise) {
  const float base = Gumbel(1, 2, 3);
  EXPECT_NE(base, Gumbel(2, 2, 3));
  EXPECT_NE(base, Gumbel(uint64_t{1} << 32 | 1, 2, 3));
  EXPECT_NE(base, Gumbel(1, 3, 3));
  EXPECT_NE(base, Gumbel(1, uint64_t{1} << 40 | 2, 3));
  EXPECT_NE(base, Gumbel(1, 2, 2));
  EXPECT_EQ(base, Gumbel(1, 2, 3));
}

// n draws; the seeds are fixed, so the outcome is too. Limits are the 0.1 % points.
constexpr int64_t kDraws = 400000;

std::vector<double> Draws() {
  std::vector<double> draws;
  for (int64_t i = 0; i < kDraws; ++i) {
    draws.push_back(Gumbel(2026, static_cast<uint64_t>(i / 1000), static_cast<uint64_t>(i % 1000)));
  }
  return draws;
}

TEST(NoiseTest, Distribution_KolmogorovSmirnovAndMoments) {
  std::vector<double> draws = Draws();
  double mean = 0;
  double square = 0;
  for (const double g : draws) {
    mean += g;
    square += g * g;
  }
  const double n = static_cast<double>(kDraws);
  mean /= n;
  const double variance = square / n - mean * mean;
  const double deviation = std::acos(-1.0) / std::sqrt(6.0);
  EXPECT_NEAR(mean, 0.5772156649, 3.3 * deviation / std::sqrt(n));
  // var of the sample variance: (kurtosis - 1) sigma^4 / n, kurtosis of a Gumbel 5.4.
  EXPECT_NEAR(variance, deviation * deviation, 3.3 * deviation * deviation * std::sqrt(4.4 / n));
  std::sort(draws.begin(), draws.end());
  double distance = 0;
  for (size_t i = 0; i < draws.size(); ++i) {
    const double cdf = std::exp(-std::exp(-draws[i]));
    distance = std::max({distance, std::fabs(cdf - static_cast<double>(i) / n),
                         std::fabs(cdf - static_cast<double>(i + 1) / n)});
  }
  EXPECT_LT(distance * std::sqrt(n), 1.95);
}

// Argmax of logits + noise is the softmax: chi-square with 15 degrees of freedom, 0.1 % point 37.7.
TEST(NoiseTest, ArgMax_FollowsTheSoftmax) {
  constexpr size_t kIds = 16;
  std::array<double, kIds> weights{};
  std::array<int, kIds> counts{};
  double total = 0;
  for (size_t i = 0; i < kIds; ++i)
    total += weights[i] = std::exp(0.3 * static_cast<double>(i % 7));
  constexpr int kTrials = 50000;
  for (int trial = 0; trial < kTrials; ++trial) {
    size_t best = 0;
    double best_value = -1e9;
    for (size_t i = 0; i < kIds; ++i) {
      const double value = std::log(weights[i]) + Gumbel(9, static_cast<uint64_t>(trial), i);
      if (value > best_value) {
        best_value = value;
        best = i;
      }
    }
    ++counts[best];
  }
  double chi_square = 0;
  for (size_t i = 0; i < kIds; ++i) {
    const double expected = kTrials * weights[i] / total;
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  EXPECT_LT(chi_square, 37.7);
}

}  // namespace
}  // namespace headway::kernels
