#pragma once

// How far a device's values are from the expected ones.

#include <cstdint>
#include <span>

namespace headway::gates {

struct Difference {
  double relative = 0;       // RMS error over RMS of the expected values (or of their change)
  double worst_channel = 0;  // the same, of the channel where it is largest
  int64_t channel = -1;      // that channel
  double largest = 0;        // absolute error
  double cosine = 1;         // lowest over rows
  int64_t not_finite = 0;    // NaN and infinity among the values; the rest is then of no use
};

// found, expected: [rows, channels].  before: [rows, channels] or empty: what a residual stream was
// before the shard; errors are then held against expected - before, what the shard adds. A channel
// is never held against less than `quiet` of the average channel.
Difference Measure(std::span<const float> found, std::span<const float> expected,
                   std::span<const float> before, int64_t channels, double quiet);

// The lowest cosine of two rows, [rows, channels] each.
double LowestCosine(std::span<const float> a, std::span<const float> b, int64_t channels);

}  // namespace headway::gates
