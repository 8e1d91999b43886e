#include <gtest/gtest.h>

#include <vector>

#include "lab/measure/bandwidth.h"
#include "lab/measure/turns.h"

namespace headway::measure {
namespace {

TEST(SummariseTest, KnownSamples_MedianAndInterval) {
  const Spread one = Summarise({3.0});
  EXPECT_EQ(one.median, 3.0);
  EXPECT_EQ(one.low, 3.0);
  EXPECT_EQ(one.high, 3.0);
  EXPECT_EQ(Summarise({4.0, 1.0, 2.0, 3.0}).median, 2.5);
  // Ten samples: order statistics 2 and 9 hold the median with 97.9 %, 3 and 8 only with 89.1 %.
  const Spread ten = Summarise({10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  EXPECT_EQ(ten.median, 5.5);
  EXPECT_EQ(ten.low, 2.0);
  EXPECT_EQ(ten.high, 9.0);
  EXPECT_EQ(ten.min, 1.0);
  EXPECT_EQ(ten.max, 10.0);
}

TEST(MeasureInTurnsTest, Variants_RunInTurnsAndRatiosPairRounds) {
  std::vector<int> order;
  double drift = 1.0;
  const auto results = MeasureInTurns({[&] {
                                         order.push_back(0);
                                         return drift *= 2.0;
                                       },
                                       [&] {
                                         order.push_back(1);
                                         return 3.0 * drift;
                                       }},
                                      4, 1);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}));
  EXPECT_EQ((*results)[1].ratio_to_first.median, 3.0);  // however much the machine drifts
  EXPECT_EQ((*results)[1].ratio_to_first.min, 3.0);
  EXPECT_EQ((*results)[0].value.min, 4.0);  // the first round was warm-up
}

TEST(ReadBandwidthTest, AnyTeam_ReadsTheWholeBuffer) {
  ReadBandwidth bandwidth(1);
  EXPECT_EQ(bandwidth.SizeBytes(), 1 << 20);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    EXPECT_GT(bandwidth.Measure(&pool), 0.0);
  }
}

}  // namespace
}  // namespace headway::measure
