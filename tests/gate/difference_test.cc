// How errors are held against channels: a quiet one's own size counts in a product, the average
// channel's in a shard.

#include "gates/difference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "gates/thresholds.h"

namespace headway::gates {
namespace {

constexpr int64_t kChannels = 100;

// Two positions of 100 channels of size 1, the last one of size 0.1; every value is off by 1 %.
Difference MeasureQuiet(double quiet, float error_of_first = 0.01F) {
  std::vector<float> expected(2 * kChannels, 1.0F);
  expected[kChannels - 1] = expected[2 * kChannels - 1] = 0.1F;
  std::vector<float> found = expected;
  for (float& value : found) value += 0.01F;
  found[0] = found[kChannels] = 1.0F + error_of_first;
  return Measure(found, expected, {}, kChannels, quiet);
}

TEST(Difference, ErrorOfAQuietChannel_IsItsOwnInAProductOnly) {
  const Difference product = MeasureQuiet(kQuietProduct);
  EXPECT_EQ(product.channel, kChannels - 1);
  EXPECT_NEAR(product.worst_channel, 0.1, 1e-3);
  const Difference shard = MeasureQuiet(kQuietShard);
  EXPECT_NEAR(shard.worst_channel, 0.01, 1e-3);
  EXPECT_EQ(shard.relative, product.relative);
}

TEST(Difference, OneChannelThatIsWrong_IsNamedEitherWay) {
  for (const double quiet : {kQuietProduct, kQuietShard}) {
    const Difference d = MeasureQuiet(quiet, 0.2F);
    EXPECT_EQ(d.channel, 0);
    EXPECT_NEAR(d.worst_channel, 0.2, 2e-3);
  }
}

TEST(Difference, ValuesThatAreNotFinite_AreCounted) {
  const std::vector<float> expected = {1, 2, 3, 4};
  const std::vector<float> found = {1, NAN, INFINITY, 4};
  EXPECT_EQ(Measure(found, expected, {}, 2, kQuietShard).not_finite, 2);
}

}  // namespace
}  // namespace headway::gates
