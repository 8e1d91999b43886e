#include "lmhead/row_code.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace headway::lmhead {
namespace {

constexpr double kLargestHalf = 65504.0;
constexpr double kSmallestHalf = 0x1p-24;

// Channels that may go up a level to make the product exact.
constexpr int kMostRaised = 4;

struct Sums {
  double absolute = 0.0;  // L1
  double squares = 0.0;   // S
};

Sums SumsOf(const double* w, size_t n) {
  Sums sums;
  for (size_t j = 0; j < n; ++j) {
    sums.absolute += std::fabs(w[j]);
    sums.squares += w[j] * w[j];
  }
  return sums;
}

int LevelOf(double magnitude, double inverse_threshold) {
  return static_cast<int>(std::min(3.0, magnitude * inverse_threshold));
}

// a.w of the eight levels over their step, for decision thresholds at multiples of `threshold`.
// Never increases with it.
double ProductAt(const double* w, size_t n, double threshold) {
  const double inverse = 1.0 / threshold;
  double sum = 0.0;
  for (size_t j = 0; j < n; ++j) {
    const double magnitude = std::fabs(w[j]);
    const double scaled = magnitude * inverse;
    double level = 0.5;
    level += scaled >= 1.0 ? 1.0 : 0.0;
    level += scaled >= 2.0 ? 1.0 : 0.0;
    level += scaled >= 3.0 ? 1.0 : 0.0;
    sum += level * magnitude;
  }
  return sum;
}

// Levels 0..3 of all channels with sum (level + 1/2)|w| as near to `wanted` as a few channels
// can bring it: first by the threshold, then by raising channels whose size is what is missing,
// among those near the next level.
double ChooseLevels(const double* w, size_t n, double sigma, double wanted, uint8_t* levels) {
  double low = 0.45 * sigma;   // gives too much, as a rule
  double high = 0.75 * sigma;  // gives too little
  for (int round = 0; round < 9; ++round) {
    const double middle = 0.5 * (low + high);
    (ProductAt(w, n, middle) > wanted ? low : high) = middle;
  }
  const double inverse = 1.0 / high;
  double product = 0.0;
  for (size_t j = 0; j < n; ++j) {
    const double magnitude = std::fabs(w[j]);
    const int level = LevelOf(magnitude, inverse);
    levels[j] = static_cast<uint8_t>(level);
    product += (level + 0.5) * magnitude;
  }
  for (int raise = 0; raise < kMostRaised; ++raise) {
    const double missing = wanted - product;
    size_t best = n;
    double best_distance = std::fabs(missing);
    for (size_t j = 0; j < n; ++j) {
      const double magnitude = std::fabs(w[j]);
      const double distance = std::fabs(missing - magnitude);
      if (distance >= best_distance || levels[j] == 3) continue;
      if (magnitude * inverse - levels[j] < 0.7) continue;
      best = j;
      best_distance = distance;
    }
    if (best == n) break;
    ++levels[best];
    product += std::fabs(w[best]);
  }
  return product;
}

}  // namespace

F16 RoundUpToF16(double value) {
  if (!(value < kLargestHalf)) return ToF16(static_cast<float>(kLargestHalf));
  F16 half = ToF16(static_cast<float>(value));
  while (static_cast<double>(ToFloat(half)) < value) ++half.bits;
  return half;
}

BlockCode EncodeBlock(const BlockInput& input, uint8_t* signs, uint8_t* codes) {
  const auto n = static_cast<size_t>(input.n);
  const double* w = input.rotated;
  const Sums sums = SumsOf(w, n);
  const double norm = std::sqrt(sums.squares);
  const double root_n = std::sqrt(static_cast<double>(n));
  BlockCode code;
  for (size_t j = 0; j < n; ++j) {
    signs[j] = w[j] > 0.0 ? 1 : 0;
    codes[j] = 0;
  }
  if (norm == 0.0) return code;

  double scale = sums.squares / sums.absolute;
  const double stored = std::max(std::ldexp(scale, input.exponent), kSmallestHalf);
  code.scale = ToF16(static_cast<float>(std::min(stored, kLargestHalf)));
  scale = std::ldexp(static_cast<double>(ToFloat(code.scale)), -input.exponent);
  const double unit = scale * root_n;
  const auto excess = [&](double product, double tolerance) {
    const double error = std::fabs(product / sums.squares - 1.0);
    return std::max(0.0, error - tolerance) * norm / unit;
  };
  const auto orthogonal = [&](double squares, double product) {
    return std::sqrt(std::max(0.0, squares - product * product / sums.squares)) / unit;
  };

  const double sign_product = scale * sums.absolute;
  code.sign_gamma = orthogonal(unit * unit, sign_product);
  code.sign_excess = excess(sign_product, kSignScaleTolerance);

  const double step = kRefineRatio * scale;
  const double product =
      step * ChooseLevels(w, n, norm / root_n, sums.squares / step, codes);  // levels for now
  double squares = 0.0;
  for (size_t j = 0; j < n; ++j) {
    const double level = codes[j] + 0.5;
    squares += level * level;
    // 2 s + (code - 1.5) = s (level + 0.5) with s the sign
    codes[j] = static_cast<uint8_t>(signs[j] != 0 ? codes[j] : 3 - codes[j]);
  }
  code.refine_gamma = orthogonal(step * step * squares, product);
  code.refine_excess = excess(product, kRefineScaleTolerance);
  return code;
}

}  // namespace headway::lmhead
