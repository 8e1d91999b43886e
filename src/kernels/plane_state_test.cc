// What the certified head needs of a hidden state: the reference against the claims about the
// errors of table entries and activations; every other set against the reference, bit for bit.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/matrix_fixture.h"
#include "kernels/planes_fixture.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {
namespace {

// With the offset added, every entry is within half a step of the sum it stands for.
TEST(SignTablesTest, EveryEntry_IsWithinHalfAStep_AndTheOffsetIsTheSum) {
  constexpr int64_t kChannels = 384 - 9;  // the last groups are incomplete or empty
  const std::vector<float> x = TestHidden(kChannels, 3);
  const float inverse_step = TableInverseStep(x);
  const int64_t groups = SignGroups(kChannels);
  std::vector<uint8_t> tables(static_cast<size_t>((groups + 5) * kSignTableEntries));
  double all = 0;
  for (int64_t group = 0; group < groups; ++group) {
    double offset = 0;
    reference::BuildSignTables({.x = x.data(),
                                .n = kChannels,
                                .first_group = 5,
                                .group_begin = group,
                                .group_end = group + 1,
                                .inverse_step = inverse_step,
                                .noise = {.key = 11, .token = 12},
                                .tables = tables.data(),
                                .offset = &offset});
    all += offset;
    const auto largest = [&](int64_t g) {
      const uint8_t* table = &tables[static_cast<size_t>((g + 5) * 64)];
      return int{*std::max_element(table, table + 64)};
    };
    if (group % 2 == 1) {
      ASSERT_LE(largest(group - 1) + largest(group), 255);
    }
    for (uint32_t e = 0; e < 64; ++e) {
      double exact = 0;
      for (uint32_t k = 0; k < 6; ++k) {
        const auto c = static_cast<size_t>(group * 6 + k);
        const double value = c < x.size() ? double{x[c]} : 0.0;
        exact += (e >> k & 1U) != 0 ? value : -value;
      }
      const int code = tables[static_cast<size_t>((group + 5) * 64) + e];
      const double error = code + offset - exact * double{inverse_step};
      ASSERT_LE(std::fabs(error), 0.5 + double{kSignTableSlack}) << group << " " << e;
    }
  }
  double offset = 0;
  std::vector<uint8_t> again(tables.size());
  reference::BuildSignTables({.x = x.data(),
                              .n = kChannels,
                              .first_group = 5,
                              .group_begin = 0,
                              .group_end = groups,
                              .inverse_step = inverse_step,
                              .noise = {.key = 11, .token = 12},
                              .tables = again.data(),
                              .offset = &offset});
  EXPECT_EQ(again, tables);
  EXPECT_EQ(offset, all);
}

// Whatever the entry, its error over many tokens is uniform on half a step to both sides: mean 0,
// variance 1/12, and every tenth of the range gets a tenth. 40,000 draws: standard errors 0.0014,
// 0.00037, 60.
TEST(SignTablesTest, TheErrorOfAnEntry_IsUniform) {
  const float x[6] = {0.31F, -0.2F, 0.9F, 0.05F, -0.77F, 0.4F};
  const float inverse_step = TableInverseStep(x) / 7;
  constexpr int kTokens = 40000;
  for (const uint32_t e : {0U, 21U, 63U}) {
    double sum = 0;
    double square = 0;
    int tenths[10] = {};
    double exact = 0;
    for (uint32_t k = 0; k < 6; ++k) exact += (e >> k & 1U) != 0 ? double{x[k]} : -double{x[k]};
    for (uint64_t token = 0; token < kTokens; ++token) {
      uint8_t tables[8 * 64];
      double offset = 0;
      reference::BuildSignTables({.x = x,
                                  .n = 6,
                                  .first_group = 7,
                                  .group_begin = 0,
                                  .group_end = 1,
                                  .inverse_step = inverse_step,
                                  .noise = {.key = 1, .token = token},
                                  .tables = tables,
                                  .offset = &offset});
      const double error = tables[7 * 64 + e] + offset - exact * double{inverse_step};
      sum += error;
      square += error * error;
      ++tenths[std::clamp(static_cast<int>((error + 0.5) * 10), 0, 9)];
    }
    EXPECT_NEAR(sum / kTokens, 0, 5 * 0.0014);
    EXPECT_NEAR(square / kTokens, 1.0 / 12, 5 * 0.00037);
    for (const int count : tenths) EXPECT_NEAR(count, kTokens / 10, 5 * 60);
  }
}

TEST(RefineActivationsTest, RoundingIsFair_WithoutClipping) {
  std::vector<float> x(100, 0.26F);
  x[0] = -1.0F;
  x[99] = 1.0F;
  std::vector<int8_t> q(512, 55);
  int64_t total = 0;
  constexpr uint64_t kTokens = 2000;
  for (uint64_t token = 0; token < kTokens; ++token) {
    int32_t sum = 0;
    reference::QuantiseForRefinement({.x = x.data(),
                                      .n = 100,
                                      .first_unit = 0,
                                      .inverse_step = 126.0F,
                                      .noise = {.key = 4, .token = token},
                                      .q = q.data(),
                                      .q_sum = &sum});
    int32_t expected = 0;
    for (int64_t c = 0; c < 100; ++c) {
      const int value = q[static_cast<size_t>(RefineActivationIndex(0, c))];
      expected += value;
      const double exact = double{x[static_cast<size_t>(c)]} * 126;
      ASSERT_LE(std::fabs(value - exact), 1.0);
    }
    ASSERT_EQ(sum, expected);
    total += sum;
  }
  // The mean of 98 values of 32.76, two are exact; standard error of the mean 0.43 / sqrt(196000).
  EXPECT_NEAR(static_cast<double>(total) / (98 * kTokens), 126 * 0.26, 5 * 0.001);
}

// What a set makes of one block of a hidden state.
struct BlockState {
  std::vector<uint8_t> tables;
  double offset = 0;
  std::vector<int8_t> q;
  int32_t q_sum = 0;

  friend bool operator==(const BlockState&, const BlockState&) = default;
};

BlockState RunBlockState(const KernelSet& set, const std::vector<float>& x, const PlaneNoise& noise,
                         int64_t first_group, int64_t first_unit) {
  const auto n = static_cast<int64_t>(x.size());
  float largest = 0x1p-100F;
  for (const float value : x) largest = std::max(largest, std::fabs(value));
  BlockState state;
  state.tables.assign(static_cast<size_t>((first_group + SignGroups(n) + 1) * kSignTableEntries),
                      99);
  state.q.assign(static_cast<size_t>(first_unit + RefineUnits(n) + 4) * 128, 0);
  set.build_sign_tables({.x = x.data(),
                         .n = n,
                         .first_group = first_group,
                         .group_begin = 0,
                         .group_end = SignGroups(n),
                         .inverse_step = TableInverseStep(x),
                         .noise = noise,
                         .tables = state.tables.data(),
                         .offset = &state.offset});
  set.quantise_for_refinement({.x = x.data(),
                               .n = n,
                               .first_unit = first_unit,
                               .inverse_step = 125.9F / largest,
                               .noise = noise,
                               .q = state.q.data(),
                               .q_sum = &state.q_sum});
  return state;
}

TEST(BlockStateTest, EverySet_EqualsTheReference_BitForBit) {
  for (const int64_t n : {1, 8, 32, 100, 192, 256, 384, 575}) {
    for (const int64_t block : {0, 1, 5}) {
      std::vector<float> x = TestHidden(n, static_cast<uint32_t>(n + block));
      if (block == 1) std::fill_n(x.begin(), n / 2, 0.0F);  // groups of nothing
      const PlaneNoise noise{.key = 0x123456789abcdef0, .token = uint64_t{3} << 33 | 7};
      const auto run = [&](const KernelSet& set) {
        return RunBlockState(set, x, noise, 64 * block, 3 * block);
      };
      const BlockState expected = run(reference::Set());
      for (const KernelSet& set : FastSets()) {
        EXPECT_EQ(run(set), expected) << set.name << " n " << n << " block " << block;
      }
    }
  }
}

}  // namespace
}  // namespace headway::kernels
