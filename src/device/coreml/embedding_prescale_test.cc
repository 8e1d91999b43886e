#include "device/coreml/embedding_prescale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace headway::coreml {
namespace {

float PrescaleOf(const std::vector<float>& values, int64_t rows) {
  const auto columns = static_cast<int64_t>(values.size()) / rows;
  return EmbeddingPrescale({.type = DataType::kF32,
                            .shape = {rows, columns},
                            .row_stride_bytes = columns * 4,
                            .data = reinterpret_cast<const std::byte*>(values.data()),
                            .name = "table"});
}

TEST(EmbeddingPrescale, BringsTheMedianRowToAnRmsOfOne) {
  EXPECT_EQ(PrescaleOf({0.02F, -0.02F, 0.02F, 0.02F, 0.3F, 0.3F}, 3), 32.0F);  // 1 / 0.02 = 50
  EXPECT_EQ(PrescaleOf({1, -1, 1, 1}, 2), 1.0F);
  EXPECT_EQ(PrescaleOf({3, 3, 3, 3}, 2), 0.25F);
}

TEST(EmbeddingPrescale, KeepsTheLargestNumberWithinSixteen) {
  EXPECT_EQ(PrescaleOf({0.02F, -0.02F, 0.02F, 0.02F, 4.0F, 0.0F}, 3), 4.0F);
}

// 20,000 rows: 64 stretches of 128, the first of which has larger rows than the others.
TEST(EmbeddingPrescale, TakesSamplesOfALargeTable) {
  std::vector<float> table(40000, 0.02F);
  std::fill_n(table.begin(), 256, 0.5F);
  EXPECT_EQ(PrescaleOf(table, 20000), 32.0F);
}

TEST(EmbeddingPrescale, StaysAFiniteNumberOfFp16) {
  EXPECT_EQ(PrescaleOf({0, 0, 0, 0}, 2), 1.0F);
  EXPECT_EQ(PrescaleOf({1e-9F, 1e-9F}, 1), 0x1p15F);
  EXPECT_EQ(PrescaleOf({1e9F, 1e9F}, 1), 0x1p-14F);
  EXPECT_EQ(PrescaleOf({INFINITY, 1.0F}, 1), 1.0F);
  EXPECT_EQ(PrescaleOf({NAN, 1.0F}, 1), 1.0F);
}

}  // namespace
}  // namespace headway::coreml
