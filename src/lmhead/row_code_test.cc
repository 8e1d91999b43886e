#include "lmhead/row_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "lmhead/rotation.h"

namespace headway::lmhead {
namespace {

// What a code stands for, in doubles.
struct Reconstruction {
  std::vector<double> one;
  std::vector<double> two;
  std::vector<double> three;
  BlockCode code;
};

Reconstruction Encode(const std::vector<double>& rotated) {
  const size_t n = rotated.size();
  std::vector<uint8_t> signs(n);
  std::vector<uint8_t> second(n);
  std::vector<uint8_t> third(n);
  Reconstruction r;
  r.code = EncodeBlock({.rotated = rotated.data(), .n = static_cast<int64_t>(n), .exponent = 0},
                       {.signs = signs.data(), .second = second.data(), .third = third.data()});
  const double scale = ToFloat(r.code.scale);
  for (size_t j = 0; j < n; ++j) {
    const double sign = signs[j] != 0 ? 1.0 : -1.0;
    r.one.push_back(scale * sign);
    r.two.push_back(scale * TwoBitLevel(sign, second[j]));
    r.three.push_back(scale * ThreeBitLevel(sign, second[j], third[j]));
  }
  return r;
}

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::vector<double> Apply(const Rotation& rotation, const std::vector<double>& x) {
  const auto n = static_cast<size_t>(rotation.n);
  std::vector<double> y(n, 0.0);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) y[i] += rotation.exact[i * n + j] * x[j];
  }
  return y;
}

TEST(Rotation, IsOrthogonalAndItsDefectBoundsTheRounding) {
  RandomBits bits(RotationSeed::FromNumber(3), 0);
  const Rotation rotation = DrawRotation(96, &bits);
  constexpr size_t kN = 96;
  for (size_t i = 0; i < kN; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      double dot = 0.0;
      for (size_t k = 0; k < kN; ++k)
        dot += rotation.exact[i * kN + k] * rotation.exact[j * kN + k];
      EXPECT_NEAR(dot, i == j ? 1.0 : 0.0, 1e-13);
    }
  }
  // The defect bounds what rounding moves, for any vector; power iteration finds a bad one.
  std::vector<double> x(kN, 1.0);
  double gain = 0.0;
  for (int round = 0; round < 50; ++round) {
    std::vector<double> y(kN, 0.0);
    for (size_t i = 0; i < kN; ++i) {
      for (size_t j = 0; j < kN; ++j) {
        const double error = ToFloat(rotation.stored[i * kN + j]) - rotation.exact[i * kN + j];
        y[i] += error * x[j];
      }
    }
    gain = std::sqrt(Dot(y, y) / Dot(x, x));
    EXPECT_LE(gain, rotation.defect);
    std::vector<double> z(kN, 0.0);
    for (size_t i = 0; i < kN; ++i) {
      for (size_t j = 0; j < kN; ++j) {
        z[j] += (ToFloat(rotation.stored[i * kN + j]) - rotation.exact[i * kN + j]) * y[i];
      }
    }
    const double norm = std::sqrt(Dot(z, z));
    for (double& value : z) value /= norm;
    x = z;
  }
  EXPECT_GT(gain, 0.3 * rotation.defect);  // and is not far above it
}

TEST(RowCode, ReconstructionsAreUnbiasedAndTheirErrorsAreWhatTheGammasSay) {
  std::mt19937 generator(5);
  std::normal_distribution<double> normal;
  for (const size_t n : {32U, 192U, 384U, 575U}) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<double> w(n);
      for (double& value : w) value = normal(generator) * 0.02;
      const Reconstruction r = Encode(w);
      const double squares = Dot(w, w);
      const double unit = ToFloat(r.code.scale) * std::sqrt(static_cast<double>(n));
      const auto check = [&](const std::vector<double>& a, const CodeError& error, double tolerance,
                             double most) {
        const double along = Dot(a, w) / squares;
        EXPECT_LE(std::fabs(along - 1.0) * std::sqrt(squares),
                  (tolerance * 1.3 + error.excess) * unit);
        double orthogonal = 0.0;
        for (size_t j = 0; j < n; ++j) orthogonal += (a[j] - along * w[j]) * (a[j] - along * w[j]);
        EXPECT_NEAR(std::sqrt(orthogonal) / unit, error.gamma, 1e-9);
        EXPECT_LE(error.gamma, most);
      };
      check(r.one, r.code.one_bit, kSignScaleTolerance, 0.8);
      check(r.two, r.code.two_bits, kRefineScaleTolerance, 0.45);
      check(r.three, r.code.three_bits, kRefineScaleTolerance, 0.32);
      if (n >= 192) {
        EXPECT_NEAR(r.code.one_bit.gamma, 0.603, 0.06);     // sqrt(1 - 2 / pi)
        EXPECT_NEAR(r.code.two_bits.gamma, 0.302, 0.045);   // 0.379 / 1.2533
        EXPECT_NEAR(r.code.three_bits.gamma, 0.16, 0.045);  // 0.1972 / 1.2533 and a little
        EXPECT_LT(r.code.two_bits.excess, 1e-4);
        EXPECT_LT(r.code.three_bits.excess, 1e-4);
      }
    }
  }
}

TEST(RowCode, ZeroRowsAndTinyScalesStayBounded) {
  const Reconstruction zero = Encode(std::vector<double>(64, 0.0));
  EXPECT_EQ(ToFloat(zero.code.scale), 0.0F);
  std::vector<double> tiny(64, 0.0);
  tiny[7] = 1e-12;
  const Reconstruction r = Encode(tiny);
  const double unit = ToFloat(r.code.scale) * 8.0;
  EXPECT_GT(unit, 0.0);
  // Whatever the reconstruction is, error and excess together cover it.
  const auto covered = [&](const std::vector<double>& a, const CodeError& error) {
    EXPECT_GE((error.gamma + error.excess) * unit * 1.001, std::sqrt(Dot(a, a)) - 1e-12);
  };
  covered(r.one, r.code.one_bit);
  covered(r.two, r.code.two_bits);
  covered(r.three, r.code.three_bits);
}

TEST(RowCode, RoundsUpToSixteenBits) {
  for (const double value : {0.0, 1e-9, 0.1, 0.6, 1.0, 1.0001, 111.3, 70000.0}) {
    const double up = ToFloat(RoundUpToF16(value));
    EXPECT_GE(up, std::min(value, 65504.0));
    EXPECT_LE(up, value * 1.001 + 6e-8);
  }
}

// Section "The tail" of docs/certified_head.md: (w, h) fixed, the rotation drawn again and again;
// error over s against exp(-x^2 / 2), one side.
struct Tail {
  std::array<int, 5> beyond{};  // counts above 1, 1.5, 2, 2.5, 3
  double squares = 0.0;
  int count = 0;

  void Add(double x) {
    for (size_t i = 0; i < beyond.size(); ++i) {
      beyond[i] += x > 1.0 + 0.5 * static_cast<double>(i) ? 1 : 0;
    }
    squares += x * x;
    ++count;
  }
  void ExpectBelowTheBound() const {
    for (size_t i = 0; i < beyond.size(); ++i) {
      const double x = 1.0 + 0.5 * static_cast<double>(i);
      const double bound = 3.179 * 0.5 * std::erfc(x / std::sqrt(2.0)) * count;
      EXPECT_LE(beyond[i], bound + 3.0 * std::sqrt(bound)) << x;
    }
    // Sub-Gaussian with variance at most 1, and not much less: the bound is not slack.
    EXPECT_LE(squares / count, 1.05);
    EXPECT_GE(squares / count, 0.6);
  }
};

TEST(RowCode, ErrorsOverTenThousandRotationsStayBelowTheSignSumBound) {
  constexpr int64_t kN = 32;
  std::mt19937 generator(11);
  std::normal_distribution<double> normal;
  // A heavy-tailed row, a state that leans towards it.
  std::vector<double> w(kN);
  std::vector<double> h(kN);
  for (double& value : w) value = std::pow(normal(generator), 3.0);
  for (double& value : h) value = normal(generator);
  for (size_t c = 0; c < kN; ++c) h[c] += 0.1 * w[c];
  Tail one;
  Tail two;
  Tail three;
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    RandomBits bits(RotationSeed::FromNumber(seed), 1);
    const Rotation rotation = DrawRotation(kN, &bits);
    const std::vector<double> rotated_w = Apply(rotation, w);
    const std::vector<double> rotated_h = Apply(rotation, h);
    const Reconstruction r = Encode(rotated_w);
    const double logit = Dot(rotated_w, rotated_h);
    const double unit = ToFloat(r.code.scale) * std::sqrt(static_cast<double>(kN)) *
                        std::sqrt(Dot(h, h) / (kN - 1));
    const auto error = [&](const std::vector<double>& a) {
      // The share along the row is no random error: it has its own term.
      const double along = Dot(a, rotated_w) / Dot(rotated_w, rotated_w);
      return along * logit - Dot(a, rotated_h);
    };
    one.Add(error(r.one) / (r.code.one_bit.gamma * unit));
    two.Add(error(r.two) / (r.code.two_bits.gamma * unit));
    three.Add(error(r.three) / (r.code.three_bits.gamma * unit));
  }
  one.ExpectBelowTheBound();
  two.ExpectBelowTheBound();
  three.ExpectBelowTheBound();
}

}  // namespace
}  // namespace headway::lmhead
