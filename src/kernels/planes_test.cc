// The certified head's kernels: the reference against sums worked out in double precision; every
// other set against the reference, bit for bit.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/matrix_fixture.h"
#include "kernels/planes_fixture.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {
namespace {

TEST(PlaneLayoutTest, EverySignAndCode_HasAPlaceOfItsOwn) {
  for (const int64_t channels : {256, 640, 3072}) {
    const PlaneShape shape{.channels = channels, .directions = 3};
    std::vector<std::byte> tile(static_cast<size_t>(SignTileBytes(shape)));
    for (int pass = 0; pass < 2; ++pass) {
      std::mt19937 random(1);
      for (int64_t b = 0; b < NumRotationBlocks(channels); ++b) {
        for (int64_t group = 0; group < SignGroups(RotationBlockOf(channels, b).size); ++group) {
          for (int64_t row = 0; row < kSignTileRows; ++row) {
            const uint32_t index = random() % 64;
            if (pass == 0) {
              SetSignIndex(tile.data(), channels, b, group, row, index);
            } else {
              ASSERT_EQ(SignIndex(tile.data(), channels, b, group, row), index);
            }
          }
        }
      }
    }
    const std::byte* terms = tile.data() + SignTermsOffset(channels);
    EXPECT_TRUE(std::all_of(terms, terms + SignTermsBytes(shape),
                            [](std::byte byte) { return byte == std::byte{0}; }));

    std::vector<std::byte> bits(static_cast<size_t>(RefineBitsBytes(channels)));
    std::vector<int> seen(static_cast<size_t>(RefineActivationBytes(channels)), 0);
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t b = 0; b < NumRotationBlocks(channels); ++b) {
        const int64_t first = RefineUnitsBefore(channels, b);
        for (int64_t c = 0; c < RotationBlockOf(channels, b).size; ++c) {
          const auto bit = static_cast<uint32_t>((c * 7 + b) % 3 == 0 ? 1 : 0);
          if (pass == 0) {
            SetRefineBit(bits.data(), first, c, bit);
            ++seen[static_cast<size_t>(RefineActivationIndex(first, c))];
          } else {
            ASSERT_EQ(RefineBit(bits.data(), first, c), bit);
          }
        }
      }
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), channels);
    EXPECT_EQ(*std::max_element(seen.begin(), seen.end()), 1);
  }
}

class PlanesTest : public testing::TestWithParam<MatrixShape> {};

INSTANTIATE_TEST_SUITE_P(Shapes, PlanesTest, testing::ValuesIn(kPlaneShapes),
                         [](const auto& entry) {
                           return std::to_string(entry.param.rows) + "x" +
                                  std::to_string(entry.param.channels);
                         });

// The estimate is the exact sum over signs up to half a step a group and the roundings; the upper
// bound is the formula.
TEST_P(PlanesTest, Reference_AgainstSumsInDouble) {
  const TestPlanes planes(GetParam(), 5);
  const TestState state(planes, 1);
  const ScreenOutput out = RunScreen(reference::Set(), planes, {&state}, 0, planes.NumTiles())[0];
  for (int64_t row = 0; row < GetParam().rows; ++row) {
    double exact = 0;
    double energy = 0;
    double slack = 0;
    for (int64_t b = 0; b < planes.NumBlocks(); ++b) {
      const RotationBlock block = RotationBlockOf(GetParam().channels, b);
      const double scale = planes.Scale(row, b);
      double sum = 0;
      double size = 0;
      for (int64_t c = block.begin; c < block.begin + block.size; ++c) {
        const double value = state.X()[static_cast<size_t>(c)];
        sum += planes.Sign(row, c) ? value : -value;
        size += std::fabs(value);
      }
      const BlockTerms& terms = state.Screen()[static_cast<size_t>(b)];
      exact += scale * sum;
      energy += scale * scale * double{terms.energy};
      const auto groups = static_cast<double>(SignGroups(block.size));
      slack += scale * (groups * double{terms.step} * 0.51 + size * 0x1p-15);
    }
    const auto i = static_cast<size_t>(row);
    for (int64_t d = 0; d < planes.OfPlanes().directions; ++d) {
      exact += planes.Coefficient(row, d) * double{state.Shares()[d]};
    }
    ASSERT_NEAR(out.estimate[i], exact, slack + 1e-5) << row;
    const double radius =
        (double{state.Token().multiplier} * planes.Gamma(row) + double{state.Token().constant}) *
            std::sqrt(energy) +
        planes.Slack(row) * double{kTestReach};
    ASSERT_NEAR(out.upper[i] - out.estimate[i], radius, 1e-4 * radius + 1e-4 * slack + 1e-5) << row;
  }
}

TEST_P(PlanesTest, Screen_EverySet_EqualsTheReference_BitForBit) {
  const TestPlanes planes(GetParam(), 6);
  std::vector<TestState> states;
  for (uint32_t seed = 0; seed < 8; ++seed) states.emplace_back(planes, seed);
  for (size_t tokens = 1; tokens <= states.size(); ++tokens) {
    std::vector<const TestState*> some;
    for (size_t t = 0; t < tokens; ++t) some.push_back(&states[t]);
    const int64_t begin = tokens % 2 == 0 ? 0 : planes.NumTiles() / 2;
    const auto expected = RunScreen(reference::Set(), planes, some, begin, planes.NumTiles());
    for (const KernelSet& set : FastSets()) {
      const auto actual = RunScreen(set, planes, some, begin, planes.NumTiles());
      for (size_t t = 0; t < tokens; ++t) ExpectSame(expected[t], actual[t], set.name);
    }
  }
}

// Strips below the threshold keep what was there; the others are complete.
TEST_P(PlanesTest, Screen_SkipBelow_LeavesOutWholeStripsOnly) {
  const TestPlanes planes(GetParam(), 7);
  TestState state(planes, 3);
  const ScreenOutput all = RunScreen(reference::Set(), planes, {&state}, 0, planes.NumTiles())[0];
  std::vector<float> tops;
  for (const ScreenSummary& summary : all.summary) tops.push_back(summary.largest_upper);
  std::sort(tops.begin(), tops.end());
  state.SkipBelow(tops[tops.size() / 2]);
  const ScreenOutput expected =
      RunScreen(reference::Set(), planes, {&state}, 0, planes.NumTiles())[0];
  for (size_t i = 0; i < all.upper.size(); ++i) {
    const bool kept = all.summary[i / kSignStripRows].largest_upper >= tops[tops.size() / 2];
    ASSERT_EQ(std::bit_cast<uint32_t>(expected.upper[i]),
              std::bit_cast<uint32_t>(kept ? all.upper[i] : kCanary));
    ASSERT_EQ(std::bit_cast<uint32_t>(expected.estimate[i]),
              std::bit_cast<uint32_t>(kept ? all.estimate[i] : kCanary));
  }
  for (const KernelSet& set : FastSets()) {
    ExpectSame(expected, RunScreen(set, planes, {&state}, 0, planes.NumTiles())[0], set.name);
  }
}

TEST_P(PlanesTest, Refine_EverySet_EqualsTheReference_BitForBit) {
  const TestPlanes planes(GetParam(), 8);
  for (uint32_t seed = 0; seed < 3; ++seed) {
    const TestState state(planes, seed);
    for (const auto& [stride, bits] : {std::pair{1, 2}, {1, 3}, {3, 2}, {17, 3}}) {
      const RefineOutput expected = RunRefine(reference::Set(), planes, state, stride, bits);
      for (const KernelSet& set : FastSets()) {
        const RefineOutput actual = RunRefine(set, planes, state, stride, bits);
        for (size_t i = 0; i < expected.upper.size(); ++i) {
          ASSERT_EQ(std::bit_cast<uint32_t>(actual.estimate[i]),
                    std::bit_cast<uint32_t>(expected.estimate[i]))
              << set.name << " " << i;
          ASSERT_EQ(std::bit_cast<uint32_t>(actual.upper[i]),
                    std::bit_cast<uint32_t>(expected.upper[i]))
              << set.name << " " << i;
        }
      }
    }
  }
}

// estimate_factor * screened + the exact sum over codes, up to the rounding of activations; the
// gamma of that many bits.
TEST_P(PlanesTest, RefineReference_AgainstSumsInDouble) {
  const TestPlanes planes(GetParam(), 9);
  const TestState state(planes, 2);
  for (const int bits : {2, 3}) {
    const RefineOutput out = RunRefine(reference::Set(), planes, state, 1, bits);
    for (int64_t row = 0; row < GetParam().rows; ++row) {
      double exact = double{kTestFactor} * TestScreened(row);
      double slack = 1e-5 + std::fabs(exact) * 1e-6;
      double energy = 0;
      for (int64_t b = 0; b < planes.NumBlocks(); ++b) {
        const RotationBlock block = RotationBlockOf(GetParam().channels, b);
        const double scale = planes.Scale(row, b);
        double sum = 0;
        double size = 0;
        for (int64_t c = 0; c < block.size; ++c) {
          const double value = state.X()[static_cast<size_t>(block.begin + c)];
          const uint32_t code = planes.Code(row, b, c);
          sum += (bits == 2 ? 2.0 * (code >> 1) - 1.0 : 2.0 * code - 3.0) * value;
          size += 3 * std::fabs(value);
        }
        exact += scale * sum;
        const BlockTerms& terms = state.Refine(bits)[static_cast<size_t>(b)];
        slack += scale * (1.5 * double{terms.step} * static_cast<double>(block.size) + size * 1e-5);
        energy += scale * scale * double{terms.energy};
      }
      for (int64_t d = 0; d < planes.OfPlanes().directions; ++d) {
        exact += planes.Coefficient(row, d) * double{state.Shares()[d]};
      }
      const auto i = static_cast<size_t>(row);
      ASSERT_NEAR(out.estimate[i], exact, slack + 1e-5) << row;
      const double radius = (double{state.Token().multiplier} * planes.RecordGamma(row, bits) +
                             double{state.Token().constant}) *
                                std::sqrt(energy) +
                            planes.Slack(row) * double{kTestReach};
      ASSERT_NEAR(out.upper[i] - out.estimate[i], radius,
                  1e-4 * radius + 1e-6 * std::fabs(exact) + 1e-5)
          << row;
    }
  }
}

TEST(RotateTest, EverySet_EqualsTheReference_BitForBit) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const int64_t n : {1, 15, 16, 192, 256, 384, 575}) {
    const int64_t stride = RoundUp(n, 32);
    std::vector<F16> matrix(static_cast<size_t>(n * stride));
    for (F16& value : matrix) value = ToF16(normal(random));
    const std::vector<float> x = TestHidden(n, 5);
    const auto run = [&](const KernelSet& set) {
      std::vector<float> y(static_cast<size_t>(n) + 1, kCanary);
      const int64_t split = n / 3;
      for (const auto& [begin, end] : {std::pair{int64_t{0}, split}, std::pair{split, n}}) {
        set.rotate({.matrix = matrix.data(),
                    .matrix_stride = stride,
                    .n = n,
                    .row_begin = begin,
                    .row_end = end,
                    .x = x.data(),
                    .y = y.data()});
      }
      return y;
    };
    const std::vector<float> expected = run(reference::Set());
    EXPECT_EQ(expected.back(), kCanary);
    for (const KernelSet& set : FastSets()) {
      const std::vector<float> actual = run(set);
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
            << set.name << " n " << n << " at " << i;
      }
    }
  }
}

}  // namespace
}  // namespace headway::kernels
