// The certified head's kernels as plain loops (kernels/plane_kernels.h defines every operation).

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "kernels/noise.h"
#include "kernels/plane_kernels.h"
#include "kernels/reference/lane_sum.h"
#include "kernels/reference/reference.h"

namespace headway::kernels::reference {
namespace {

F16 HalfAt(const std::byte* halves, int64_t index) {
  F16 half;
  std::memcpy(&half, halves + 2 * index, sizeof half);
  return half;
}

// The 16 bits number `index` of a token's noise as a uniform on (0, 1).
float NoiseAt(const PlaneNoise& noise, uint32_t stream, int64_t index) {
  const auto word = static_cast<uint64_t>(index / 2);
  const std::array<uint32_t, 4> words =
      Philox({static_cast<uint32_t>(word / 4), static_cast<uint32_t>(noise.token),
              static_cast<uint32_t>(noise.token >> 32), stream},
             {static_cast<uint32_t>(noise.key), static_cast<uint32_t>(noise.key >> 32)});
  const uint32_t bits = words[word % 4] >> (16 * (index % 2)) & 0xffffU;
  return (static_cast<float>(bits) + 0.5F) * 0x1p-16F;
}

// Estimate and energy of one row.
struct RowBound {
  float estimate;
  float energy = 0.0F;

  void Add(const BlockTerms& block, float scale, int32_t sum) {
    estimate = std::fmaf(scale, static_cast<float>(sum) * block.step, estimate);
    energy = std::fmaf(scale * scale, block.energy, energy);
  }
  float Upper(float multiplier, float gamma, float constant) const {
    return std::fmaf(std::fmaf(multiplier, gamma, constant), std::sqrt(energy), estimate);
  }
};

void ScreenRow(const ScreenArgs& args, const ScreenToken& token, int64_t row) {
  const std::byte* tile = args.tiles + row / kTileRows * SignTileBytes(args.num_channels);
  const int64_t r = row % kTileRows;
  const int64_t num_blocks = NumRotationBlocks(args.num_channels);
  RowBound bound{.estimate = 0.0F};
  int64_t group = 0;
  for (int64_t b = 0; b < num_blocks; ++b) {
    const int64_t groups = SignGroups(RotationBlockOf(args.num_channels, b).size);
    int32_t sum = static_cast<int32_t>(-kSignCentre * groups);
    for (const int64_t end = group + groups; group < end; ++group) {
      const uint32_t index = SignIndex(tile, args.num_channels, group, r);
      sum += token.tables[group * kSignTableEntries + index];
    }
    bound.Add(token.blocks[b], ToFloat(HalfAt(tile, b * kTileRows + r)), sum);
  }
  const float gamma = ToFloat(HalfAt(tile, num_blocks * kTileRows + r));
  token.estimate[row] = bound.estimate;
  token.upper[row] = bound.Upper(token.multiplier, gamma, token.constant);
}

}  // namespace

void Rotate(const RotateArgs& args) {
  for (int64_t row = args.row_begin; row < args.row_end; ++row) {
    LaneSum sum;
    for (int64_t c = 0; c < args.n; ++c) {
      sum.AddProduct(c, ToFloat(args.matrix[row * args.matrix_stride + c]), args.x[c]);
    }
    args.y[row] = sum.Total();
  }
}

void BuildSignTables(const SignTableArgs& args) {
  for (int64_t group = args.group_begin; group < args.group_end; ++group) {
    uint8_t* table = args.tables + (args.first_group + group) * kSignTableEntries;
    for (int64_t e = 0; e < kSignTableEntries / 2; ++e) {
      float value = 0.0F;
      for (int64_t k = 0; k < kSignGroup; ++k) {
        const int64_t c = group * kSignGroup + k;
        const float x = c < args.n ? args.x[c] : 0.0F;
        const float term = (e >> k & 1) != 0 ? x : -x;
        value = k == 0 ? term : value + term;
      }
      const int64_t index = (args.first_group + group) * (kSignTableEntries / 2) + e;
      const float uniform = NoiseAt(args.noise, kSignNoiseStream, index);
      const auto rounded =
          static_cast<int32_t>(std::floor(std::fmaf(value, args.inverse_step, uniform)));
      table[e] = static_cast<uint8_t>(kSignCentre + rounded);
      table[kSignTableEntries - 1 - e] = static_cast<uint8_t>(kSignCentre - rounded);
    }
  }
}

void Screen(const ScreenArgs& args) {
  const int64_t end = std::min(args.tile_end * kTileRows, args.num_rows);
  for (int64_t t = 0; t < args.num_tokens; ++t) {
    for (int64_t row = args.tile_begin * kTileRows; row < end; ++row) {
      ScreenRow(args, args.tokens[t], row);
    }
  }
}

void QuantiseForRefinement(const RefineActivationArgs& args) {
  int32_t sum = 0;
  for (int64_t c = 0; c < RefineChannels(args.n); ++c) {
    int32_t q = 0;
    if (c < args.n) {
      const float uniform = NoiseAt(args.noise, kRefineNoiseStream, args.first + c);
      q = static_cast<int32_t>(std::floor(std::fmaf(args.x[c], args.inverse_step, uniform)));
    }
    args.q[c] = static_cast<int8_t>(q);
    sum += q;
  }
  *args.q_sum = sum;
}

void Refine(const RefineArgs& args) {
  const int64_t num_blocks = NumRotationBlocks(args.num_channels);
  for (int64_t i = 0; i < args.num_rows; ++i) {
    const int64_t row = args.rows[i];
    const std::byte* record = args.records + row * RefineRecordBytes(args.num_channels);
    const std::byte* terms = record + RefineCodesBytes(args.num_channels);
    RowBound bound{.estimate = args.estimate_factor * args.screened[row]};
    int64_t first = 0;
    for (int64_t b = 0; b < num_blocks; ++b) {
      const int64_t n = RefineChannels(RotationBlockOf(args.num_channels, b).size);
      int32_t sum = 0;
      for (int64_t c = 0; c < n; ++c) {
        sum += static_cast<int32_t>(RefineCode(record + first / 4, c)) * args.q[first + c];
      }
      bound.Add(args.blocks[b], ToFloat(HalfAt(terms, b)), 2 * sum - 3 * args.q_sums[b]);
      first += n;
    }
    args.estimate[i] = bound.estimate;
    args.upper[i] = bound.Upper(args.multiplier, ToFloat(HalfAt(terms, num_blocks)), args.constant);
  }
}

}  // namespace headway::kernels::reference
