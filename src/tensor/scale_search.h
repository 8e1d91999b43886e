#pragma once

// Scales for groups of values that become small integers: the search behind QuantiseRow. For a
// given rounding the best scale is a least-squares fit; the rounding depends on the scale, so a few
// nearby scales are tried and the one with the smallest squared error wins. Sums run in eight lanes
// so that the compiler may vectorise them without changing a bit.

#include <array>
#include <cstdint>

namespace headway {

inline constexpr int kMaxGroup = 32;

// The integer nearest to `value` (ties to even), clamped to [low, high]; NaN gives low. Valid for
// |low|, |high| below 2^22: adding 1.5 * 2^23 leaves no bits for a fraction.
inline float RoundClamped(float value, float low, float high) {
  const float above = value > low ? value : low;
  const float clamped = above < high ? above : high;
  constexpr float kMagic = 12582912.0F;
  return (clamped + kMagic) - kMagic;
}

// x[i] ~ scale * q[i], q[i] in [low, high], low = -high - 1. The scale may be negative: then the
// extreme of the group uses the one level more that there is below zero.
//   x: [n] f32, n a multiple of 8 and at most kMaxGroup
float FitSymmetric(const float* x, int n, int high);

// x[i] ~ scale * q[i] + offset, q[i] in [0, levels], scale >= 0. With `offset_at_most_zero` the
// offset is never positive (K types store -offset as an unsigned number).
struct AffineFit {
  float scale;
  float offset;
};
AffineFit FitAffine(const float* x, int n, int levels, bool offset_at_most_zero);

}  // namespace headway
