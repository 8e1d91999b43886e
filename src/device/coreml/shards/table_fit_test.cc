#include "device/coreml/shards/table_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "device/coreml/shards/layers_fixture.h"
#include "device/coreml/shards/row_encoders.h"

namespace headway::mil {
namespace {

// The least loss of `cells` runs by the plain recurrence, in O(cells n^2).
double PlainLoss(const std::vector<Stretch>& stretches, size_t cells) {
  const size_t n = stretches.size();
  std::vector<double> least(n + 1, std::numeric_limits<double>::infinity());
  least[0] = 0;
  for (size_t c = 0; c < cells; ++c) {
    std::vector<double> next(n + 1, std::numeric_limits<double>::infinity());
    for (size_t begin = 0; begin < n; ++begin) {
      Stretch run;
      for (size_t end = begin + 1; end <= n; ++end) {
        run.Add(stretches[end - 1]);
        next[end] = std::min(next[end], least[begin] + run.wxx - run.wx * run.wx / run.w);
      }
    }
    least = std::move(next);
  }
  return least[n];
}

double LossOf(const std::vector<Stretch>& stretches, const std::vector<size_t>& borders) {
  double loss = 0;
  for (size_t c = 0; c + 1 < borders.size(); ++c) {
    Stretch run;
    for (size_t i = borders[c]; i < borders[c + 1]; ++i) run.Add(stretches[i]);
    loss += run.wxx - run.wx * run.wx / run.w;
  }
  return loss;
}

// Something like a row of weights: the sum of a few numbers, cubed for long tails.
float WeightAt(uint64_t seed, uint64_t i) {
  const float x = RandomAt(seed, 3 * i) + RandomAt(seed, 3 * i + 1) + RandomAt(seed, 3 * i + 2);
  return x * x * x;
}

std::vector<Stretch> Points(std::vector<float> values, const std::vector<float>& importance = {}) {
  std::sort(values.begin(), values.end());
  std::vector<Stretch> points(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    points[i].Add(importance.empty() ? 1.0 : static_cast<double>(importance[i]),
                  static_cast<double>(values[i]));
  return points;
}

TEST(TableFit, BestRuns_AreAsGoodAsThePlainRecurrence) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    std::vector<float> values(150);
    std::vector<float> importance(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = WeightAt(seed, i);
      importance[i] = seed % 2 == 0 ? 1.0F : 1.5F + RandomAt(seed + 50, i);
    }
    const std::vector<Stretch> points = Points(values, importance);
    for (const size_t cells : std::vector<size_t>{1, 2, 3, 7, 16, 64, 149, 150}) {
      const std::vector<size_t> borders = BestRuns(points, cells);
      ASSERT_EQ(borders.size(), cells + 1);
      EXPECT_TRUE(std::is_sorted(borders.begin(), borders.end()));
      const double best = PlainLoss(points, cells);
      EXPECT_NEAR(LossOf(points, borders), best, 1e-9 * (1 + best)) << seed << " " << cells;
    }
  }
}

// Equal distances: many numbers of runs are the cheapest at the same price, and one between two of
// them is put together of both.
TEST(TableFit, BestRuns_OfTies_AreAsGood) {
  std::vector<float> lattice;
  for (int i = 0; i < 64; ++i) lattice.push_back(static_cast<float>(i));
  const std::vector<Stretch> points = Points(lattice);
  for (size_t cells = 1; cells <= 64; ++cells) {
    const std::vector<size_t> borders = BestRuns(points, cells);
    ASSERT_EQ(borders.size(), cells + 1);
    EXPECT_NEAR(LossOf(points, borders), PlainLoss(points, cells), 1e-9) << cells;
  }
}

double TableLoss(const std::vector<float>& values, const std::vector<float>& table) {
  std::vector<uint8_t> codes(values.size());
  LookUpCodes(values, table, codes);
  double loss = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double d = static_cast<double>(values[i]) - static_cast<double>(table[codes[i]]);
    loss += d * d;
  }
  return loss;
}

// Grouped into stretches and rounded to fp16, and still within 1 % of what no table beats.
TEST(TableFit, FitTable_IsNearTheBestOfAll) {
  std::vector<float> values(3000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = WeightAt(9, i);
  const std::vector<Stretch> points = Points(values);
  for (const int bits : {1, 2, 3, 4, 6}) {
    const double best = PlainLoss(points, size_t{1} << static_cast<unsigned>(bits));
    const double loss = TableLoss(values, FitTable(values, bits));
    EXPECT_GE(loss, best * (1 - 1e-4)) << bits;
    EXPECT_LE(loss, best * 1.01) << bits;
  }
}

TEST(TableFit, OneValue_AndNone) {
  EXPECT_EQ(FitTable(std::vector<float>(5, 0.25F), 1), (std::vector<float>{0.25F, 0.25F}));
  EXPECT_EQ(FitTable({}, 1), (std::vector<float>{0, 0}));
}

TEST(TableFit, FewDistinctValues_AreFoundExactly) {
  std::vector<float> values;
  for (int i = 0; i < 400; ++i) values.push_back(static_cast<float>(i % 4) - 1.5F);
  const std::vector<float> table = FitTable(values, 2);
  EXPECT_EQ(table, (std::vector<float>{-1.5F, -0.5F, 0.5F, 1.5F}));
  std::vector<uint8_t> codes(4);
  LookUpCodes(std::span(values).first(4), table, codes);
  EXPECT_EQ(codes, (std::vector<uint8_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace headway::mil
