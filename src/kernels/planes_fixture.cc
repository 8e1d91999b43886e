#include "kernels/planes_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "kernels/matrix_fixture.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {
namespace {

void SetHalf(std::byte* halves, int64_t index, float value) {
  const F16 half = ToF16(value);
  std::memcpy(halves + 2 * index, &half, sizeof half);
}

double HalfAt(const std::byte* halves, int64_t index) {
  F16 half;
  std::memcpy(&half, halves + 2 * index, sizeof half);
  return ToFloat(half);
}

int64_t DirectionsOf(MatrixShape shape) {
  if (shape.channels == 256) return 0;
  return shape.channels == 3072 || shape.channels == 100 ? kMaxDirections : 5;
}

}  // namespace

std::vector<float> TestHidden(int64_t channels, uint32_t seed) {
  std::vector<float> x = TestActivations(1, RoundUp(channels, 32), seed);
  x.resize(static_cast<size_t>(channels));
  return x;
}

float TableInverseStep(std::span<const float> x) {
  float largest = 0x1p-100F;
  for (size_t c = 0; c < x.size(); c += kSignPairChannels) {
    float sum = 0;
    for (size_t i = c; i < std::min(c + kSignPairChannels, x.size()); ++i) sum += std::fabs(x[i]);
    largest = std::max(largest, sum);
  }
  return kSignRange / largest * (1 - 0x1p-20F);
}

TestPlanes::TestPlanes(MatrixShape shape, uint32_t seed)
    : shape_(shape),
      of_planes_({.channels = shape.channels, .directions = DirectionsOf(shape)}),
      tiles_(static_cast<size_t>(NumSignTiles(shape.rows) * SignTileBytes(of_planes_))),
      records_(static_cast<size_t>(shape.rows * RefineRecordBytes(of_planes_) + kRefineSlack)),
      third_bits_(
          static_cast<size_t>(shape.rows * RefineBitsBytes(shape.channels) + kRefineSlack)) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(0, 2);
  for (int64_t row = 0; row < shape.rows; ++row) {
    std::byte* tile = tiles_.data() + row / kSignTileRows * SignTileBytes(of_planes_);
    std::byte* record = records_.data() + row * RefineRecordBytes(of_planes_);
    std::byte* third = third_bits_.data() + row * RefineBitsBytes(shape.channels);
    const int64_t r = row % kSignTileRows;
    const auto put_record = [&](int64_t term, float value) {
      SetHalf(record + RefineBitsBytes(shape.channels), term, value);
    };
    const auto put = [&](int64_t term, float value) {
      SetHalf(tile + SignTermOffset(of_planes_, term, r), 0, value);
      put_record(term, value);
    };
    for (int64_t b = 0; b < NumBlocks(); ++b) {
      const int64_t size = RotationBlockOf(shape.channels, b).size;
      for (int64_t group = 0; group < SignGroups(size); ++group) {
        SetSignIndex(tile, shape.channels, b, group, r, random() % 64);
      }
      put(b, row % 64 == 3 ? 0.0F : uniform(random));
      const int64_t first = RefineUnitsBefore(shape.channels, b);
      for (int64_t c = 0; c < size; ++c) {
        SetRefineBit(record, first, c, random() % 2);
        SetRefineBit(third, first, c, random() % 2);
      }
    }
    put(GammaTerm(of_planes_), uniform(random));
    put_record(GammaTerm(of_planes_), uniform(random));
    put_record(ThreeBitsGammaTerm(of_planes_), uniform(random));
    put(SlackTerm(of_planes_), uniform(random));
    for (int64_t d = 0; d < of_planes_.directions; ++d) {
      put(CoefficientTerm(of_planes_, d), uniform(random) - 1.0F);
    }
  }
}

bool TestPlanes::Sign(int64_t row, int64_t channel) const {
  int64_t block = 0;
  while (channel >= RotationBlockOf(shape_.channels, block).begin +
                        RotationBlockOf(shape_.channels, block).size) {
    ++block;
  }
  const int64_t c = channel - RotationBlockOf(shape_.channels, block).begin;
  const uint32_t index =
      SignIndex(Tile(row), shape_.channels, block, c / kSignGroup, row % kSignTileRows);
  return (index >> (c % kSignGroup) & 1U) != 0;
}

uint32_t TestPlanes::Code(int64_t row, int64_t block, int64_t channel) const {
  const int64_t first = RefineUnitsBefore(shape_.channels, block);
  const std::byte* record = records_.data() + row * RefineRecordBytes(of_planes_);
  const std::byte* third = third_bits_.data() + row * RefineBitsBytes(shape_.channels);
  return 2 * RefineBit(record, first, channel) + RefineBit(third, first, channel);
}

double TestPlanes::RecordGamma(int64_t row, int bits) const {
  const std::byte* record = records_.data() + row * RefineRecordBytes(of_planes_);
  return HalfAt(record + RefineBitsBytes(shape_.channels),
                bits == 2 ? GammaTerm(of_planes_) : ThreeBitsGammaTerm(of_planes_));
}

double TestPlanes::Scale(int64_t row, int64_t block) const { return Term(row, block); }

double TestPlanes::Term(int64_t row, int64_t term) const {
  return HalfAt(Tile(row) + SignTermOffset(of_planes_, term, row % kSignTileRows), 0);
}

TestState::TestState(const TestPlanes& planes, uint32_t seed)
    : x_(TestHidden(planes.Shape().channels, seed + 100)),
      tables_(static_cast<size_t>(SignGroupsBefore(planes.Shape().channels, planes.NumBlocks()) *
                                  kSignTableEntries)),
      q_memory_(static_cast<size_t>(RefineActivationBytes(planes.Shape().channels))),
      q_(q_memory_.As<int8_t>(q_memory_.SizeBytes())),
      skip_below_(-INFINITY) {
  const int64_t channels = planes.Shape().channels;
  const PlaneNoise noise{.key = 77, .token = seed};
  for (int64_t d = 0; d < kMaxDirections; ++d) {
    shares_.push_back(0.5F * static_cast<float>(d) - 3.1F + static_cast<float>(seed));
  }
  for (int64_t b = 0; b < planes.NumBlocks(); ++b) {
    const RotationBlock block = RotationBlockOf(channels, b);
    const std::span<const float> x = std::span<const float>(x_).subspan(
        static_cast<size_t>(block.begin), static_cast<size_t>(block.size));
    double offset = 0;
    const float inverse_step = TableInverseStep(x);
    reference::BuildSignTables({.x = x.data(),
                                .n = block.size,
                                .first_group = SignGroupsBefore(channels, b),
                                .group_begin = 0,
                                .group_end = SignGroups(block.size),
                                .inverse_step = inverse_step,
                                .noise = noise,
                                .tables = tables_.Pointer<uint8_t>(),
                                .offset = &offset});
    const float step = 1.0F / inverse_step;
    screen_.push_back({.step = step,
                       .offset = static_cast<float>(double{step} * offset),
                       .energy = 0.1F + static_cast<float>(b)});
    float largest = 0x1p-100F;
    for (const float value : x) largest = std::max(largest, std::fabs(value));
    int32_t sum = 0;
    reference::QuantiseForRefinement({.x = x.data(),
                                      .n = block.size,
                                      .first_unit = RefineUnitsBefore(channels, b),
                                      .inverse_step = 125.9F / largest,
                                      .noise = noise,
                                      .q = q_.data(),
                                      .q_sum = &sum});
    const float q_step = largest / 125.9F;
    two_bits_.push_back({.step = 2 * q_step,
                         .offset = -q_step * static_cast<float>(sum),
                         .energy = 0.05F + static_cast<float>(b)});
    three_bits_.push_back({.step = 2 * q_step,
                           .offset = -3 * q_step * static_cast<float>(sum),
                           .energy = 0.03F + static_cast<float>(b)});
  }
}

ScreenToken TestState::Token() const {
  return {.tables = const_cast<AlignedBuffer&>(tables_).Pointer<uint8_t>(),
          .blocks = screen_.data(),
          .multiplier = 0.75F,
          .constant = 0.125F,
          .reach = kTestReach,
          .shares = shares_.data(),
          .skip_below = skip_below_};
}

std::vector<ScreenOutput> RunScreen(const KernelSet& set, const TestPlanes& planes,
                                    const std::vector<const TestState*>& states, int64_t tile_begin,
                                    int64_t tile_end) {
  const auto rows = static_cast<size_t>(planes.Shape().rows);
  const ScreenSummary unwritten{kCanary, kCanary, -1};
  const auto strips = static_cast<size_t>(NumSignStrips(planes.Shape().rows));
  std::vector<ScreenOutput> outputs(states.size());
  std::vector<ScreenToken> tokens;
  for (size_t t = 0; t < states.size(); ++t) {
    ScreenOutput& out = outputs[t];
    out.estimate.assign(rows + 1, kCanary);
    out.upper.assign(rows + 1, kCanary);
    out.summary.assign(strips + 1, unwritten);
    ScreenToken token = states[t]->Token();
    token.estimate = out.estimate.data();
    token.upper = out.upper.data();
    token.summary = out.summary.data();
    tokens.push_back(token);
  }
  set.screen({.tiles = planes.Tiles(),
              .num_rows = planes.Shape().rows,
              .shape = planes.OfPlanes(),
              .tile_begin = tile_begin,
              .tile_end = tile_end,
              .tokens = tokens.data(),
              .num_tokens = static_cast<int64_t>(tokens.size())});
  for (ScreenOutput& out : outputs) {
    EXPECT_EQ(out.estimate.back(), kCanary);
    EXPECT_EQ(out.upper.back(), kCanary);
    EXPECT_EQ(out.summary.back().best_row, -1);
    out.estimate.pop_back();
    out.upper.pop_back();
    out.summary.pop_back();
  }
  return outputs;
}

void ExpectSame(const ScreenOutput& expected, const ScreenOutput& actual, std::string_view set) {
  const auto bits = [](float value) { return std::bit_cast<uint32_t>(value); };
  for (size_t i = 0; i < expected.upper.size(); ++i) {
    ASSERT_EQ(bits(expected.estimate[i]), bits(actual.estimate[i])) << set << " row " << i;
    ASSERT_EQ(bits(expected.upper[i]), bits(actual.upper[i])) << set << " row " << i;
  }
  for (size_t i = 0; i < expected.summary.size(); ++i) {
    const ScreenSummary& a = expected.summary[i];
    const ScreenSummary& b = actual.summary[i];
    ASSERT_EQ(bits(a.largest_upper), bits(b.largest_upper)) << set << " strip " << i;
    ASSERT_EQ(bits(a.best_estimate), bits(b.best_estimate)) << set << " strip " << i;
    ASSERT_EQ(a.best_row, b.best_row) << set << " strip " << i;
  }
}

RefineOutput RunRefine(const KernelSet& set, const TestPlanes& planes, const TestState& state,
                       int64_t stride, int bits) {
  std::vector<int32_t> rows;
  std::vector<float> screened;
  for (int64_t row = 0; row < planes.Shape().rows; ++row) {
    if (row % stride == 0) rows.push_back(static_cast<int32_t>(row));
    screened.push_back(TestScreened(row));
  }
  RefineOutput out{std::vector<float>(rows.size() + 1, kCanary),
                   std::vector<float>(rows.size() + 1, kCanary)};
  set.refine({.records = planes.Records(),
              .third_bits_or_null = bits == 3 ? planes.ThirdBits() : nullptr,
              .shape = planes.OfPlanes(),
              .rows = rows.data(),
              .num_rows = static_cast<int64_t>(rows.size()),
              .q = state.Q(),
              .blocks = state.Refine(bits).data(),
              .multiplier = 0.75F,
              .constant = 0.125F,
              .reach = kTestReach,
              .shares = state.Shares(),
              .estimate_factor = kTestFactor,
              .screened = screened.data(),
              .estimate = out.estimate.data(),
              .upper = out.upper.data()});
  EXPECT_EQ(out.estimate.back(), kCanary);
  EXPECT_EQ(out.upper.back(), kCanary);
  out.estimate.pop_back();
  out.upper.pop_back();
  return out;
}

}  // namespace headway::kernels
