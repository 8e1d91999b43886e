#include <algorithm>
#include <cmath>

#include "kernels/reference/reference.h"
#include "kernels/tile_layout.h"
#include "kernels/tiles.h"
#include "tensor/blocks.h"

namespace headway::kernels::reference {
namespace {

// 32 channels of one row: w[c] = d * sub_scale[c's half] * q[c] + m * sub_min[c's half].
struct WeightBlock {
  int q[32];         // signed, or unsigned for the types that have a min
  int sub_scale[2];  // of channels 0-15 and 16-31; 1 for the types without
  int sub_min[2];    // 1 for the types without
  float d;
  float m;  // -dmin for the K types; 0 for the types without
};

// What is subtracted from a stored code to get the signed value.
constexpr int CodeOffset(DataType type) {
  return type == DataType::kQ8_0   ? 128
         : type == DataType::kQ6_K ? 32
         : type == DataType::kQ5_0 ? 16
         : type == DataType::kQ4_0 ? 8
         : type == DataType::kQ3_K ? 4
                                   : 0;
}

// What a code stands for, before its scale.
template <DataType kType>
int CodeValue(int code) {
  if constexpr (TableOf(kType) != nullptr) return (*TableOf(kType))[static_cast<size_t>(code)];
  return code - CodeOffset(kType);
}

// Block b (of 32 channels) of row `row` of a tile.
template <DataType kType>
WeightBlock ReadWeights(const std::byte* tile, int64_t num_channels, int64_t row, int64_t b) {
  constexpr TileFormat kFormat = FormatOf(kType);
  const int64_t r = row % kStripRows;
  const int64_t s = b % kFormat.sub_blocks;
  const BlockPlace place = PlaceOf(kFormat, num_channels, row / kStripRows, b / kFormat.sub_blocks);
  WeightBlock weights{};
  for (int64_t c = 0; c < 32; ++c) {
    const std::byte* codes = tile + place.codes + s * kFormat.sub_block_bytes;
    const int code = TileCode<kFormat.bits>(codes, r, c);
    weights.q[c] = CodeValue<kType>(code);
  }
  for (int64_t h = 0; h < 2; ++h) weights.sub_scale[h] = weights.sub_min[h] = 1;
  weights.d = TileScale<kType>(tile + place.first, r);
  if constexpr (HasMinimum(kType)) weights.m = ToFloat(TileHalf(tile + place.second, r));
  uint8_t scales[16];
  for (int64_t i = 0; i < kFormat.scales_bytes / kStripRows; ++i) {
    scales[i] = static_cast<uint8_t>(tile[place.scales + ScaleOffset(kFormat, r, i)]);
  }
  if constexpr (kType == DataType::kQ4_K || kType == DataType::kQ5_K) {
    const SubScale sub = UnpackSubScale(scales, static_cast<int>(s));
    for (int64_t h = 0; h < 2; ++h) {
      weights.sub_scale[h] = sub.scale;
      weights.sub_min[h] = sub.min;
    }
    weights.m = -weights.m;
  }
  if constexpr (kType == DataType::kQ2_K) {
    for (int64_t h = 0; h < 2; ++h) {
      weights.sub_scale[h] = scales[2 * s + h] & 15;
      weights.sub_min[h] = scales[2 * s + h] >> 4;
    }
    weights.m = -weights.m;
  }
  if constexpr (kType == DataType::kQ3_K) {
    for (int64_t h = 0; h < 2; ++h) {
      weights.sub_scale[h] = UnpackQ3Scale(scales, static_cast<int>(2 * s + h)) - 32;
    }
  }
  if constexpr (kType == DataType::kIQ4_XS) {
    const uint16_t high = TileHalf(tile + place.second, r).bits;
    const int scale = UnpackIQ4Scale(scales, high, static_cast<int>(s)) - 32;
    for (int64_t h = 0; h < 2; ++h) weights.sub_scale[h] = scale;
  }
  if constexpr (kType == DataType::kQ6_K) {
    for (int64_t h = 0; h < 2; ++h) {
      weights.sub_scale[h] = (scales[2 * s + h] ^ 128) - 128;  // two's complement
    }
  }
  return weights;
}

// The sum of one row and token (docs/arithmetic.md, products with quantised weights).
struct Sum {
  float acc = 0.0F;
  float products = 0.0F;  // K types: of the current block of 256 channels
  float mins = 0.0F;

  // Adds block b of 32 channels.
  template <DataType kType>
  void Add(const WeightBlock& w, const ActivationBlock& x, int64_t b) {
    constexpr int64_t kSubBlocks = FormatOf(kType).sub_blocks;
    int isum[2] = {0, 0};
    for (int c = 0; c < 32; ++c) isum[c / 16] += w.q[c] * static_cast<int>(x.q[c]);
    const auto sum = static_cast<float>(w.sub_scale[0] * isum[0] + w.sub_scale[1] * isum[1]);
    if (kSubBlocks == 1) {
      acc = std::fmaf(sum, w.d * x.scale, acc);
      if (HasMinimum(kType)) acc = std::fmaf(x.scaled_sum, w.m, acc);
      return;
    }
    const bool first = b % kSubBlocks == 0;
    products = std::fmaf(sum, x.scale, first ? 0.0F : products);
    if (first) mins = 0.0F;
    if constexpr (kType == DataType::kQ2_K) {  // two minima: their sum is an exact integer, too
      const int minima = w.sub_min[0] * x.half_sums[0] + w.sub_min[1] * x.half_sums[1];
      mins = std::fmaf(static_cast<float>(minima), x.scale, mins);
    } else {
      mins = std::fmaf(static_cast<float>(w.sub_min[0]), x.scaled_sum, mins);
    }
    if (b % kSubBlocks != kSubBlocks - 1) return;
    acc = std::fmaf(w.d, products, acc);
    if (HasMinimum(kType)) acc = std::fmaf(w.m, mins, acc);
  }
};

// Rows of the tiles asked for, in the order of memory; `product(tile, row_of_tile, row)`.
template <class Product>
void ForEachRow(const MatMulArgs& args, DataType type, const Product& product) {
  const int64_t tile_bytes = TileBytes(type, args.num_channels);
  for (int64_t i = args.tile_begin; i < args.tile_end; ++i) {
    const int64_t end = std::min(args.strip_end * kStripRows, args.num_rows - i * kTileRows);
    for (int64_t r = args.strip_begin * kStripRows; r < end; ++r) {
      product(args.tiles + i * tile_bytes, r, i * kTileRows + r);
    }
  }
}

template <DataType kType>
void MatMulQuantised(const MatMulArgs& args) {
  constexpr int64_t kTokens = 16;  // read a row's weights once for that many
  ForEachRow(args, kType, [&](const std::byte* tile, int64_t r, int64_t row) {
    for (int64_t first = 0; first < args.num_tokens; first += kTokens) {
      const int64_t tokens = std::min(kTokens, args.num_tokens - first);
      Sum sums[kTokens];
      for (int64_t b = 0; b < args.num_channels / 32; ++b) {
        const WeightBlock weights = ReadWeights<kType>(tile, args.num_channels, r, b);
        for (int64_t t = 0; t < tokens; ++t) {
          sums[t].Add<kType>(weights, *args.xq.Block(first + t, b), b);
        }
      }
      for (int64_t t = 0; t < tokens; ++t) args.y[(first + t) * args.y_stride + row] = sums[t].acc;
    }
  });
}

float Widen(float value) { return value; }
float Widen(F16 value) { return ToFloat(value); }
float Widen(BF16 value) { return ToFloat(value); }

template <DataType kType, class Element>
void MatMulFloat(const MatMulArgs& args) {
  ForEachRow(args, kType, [&](const std::byte* tile, int64_t r, int64_t row) {
    for (int64_t t = 0; t < args.num_tokens; ++t) {
      const float* x = args.x + t * args.x_stride;
      float acc[4] = {};
      for (int64_t c = 0; c < args.num_channels; ++c) {
        Element weight;
        const int64_t index =
            (r / kStripRows * args.num_channels + c) * kStripRows + r % kStripRows;
        std::memcpy(&weight, tile + index * static_cast<int64_t>(sizeof weight), sizeof weight);
        acc[c % 4] = std::fmaf(Widen(weight), x[c], acc[c % 4]);
      }
      args.y[t * args.y_stride + row] = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    }
  });
}

}  // namespace

std::array<MatMulFn, kNumDataTypes> MatMuls() {
  std::array<MatMulFn, kNumDataTypes> table{};
  const auto set = [&](DataType type, MatMulFn function) {
    table[static_cast<size_t>(type)] = function;
  };
  set(DataType::kF32, MatMulFloat<DataType::kF32, float>);
  set(DataType::kF16, MatMulFloat<DataType::kF16, F16>);
  set(DataType::kBF16, MatMulFloat<DataType::kBF16, BF16>);
  set(DataType::kQ8_0, MatMulQuantised<DataType::kQ8_0>);
  set(DataType::kQ4_0, MatMulQuantised<DataType::kQ4_0>);
  set(DataType::kQ4_1, MatMulQuantised<DataType::kQ4_1>);
  set(DataType::kQ5_0, MatMulQuantised<DataType::kQ5_0>);
  set(DataType::kQ5_1, MatMulQuantised<DataType::kQ5_1>);
  set(DataType::kQ4_K, MatMulQuantised<DataType::kQ4_K>);
  set(DataType::kQ5_K, MatMulQuantised<DataType::kQ5_K>);
  set(DataType::kQ6_K, MatMulQuantised<DataType::kQ6_K>);
  set(DataType::kQ2_K, MatMulQuantised<DataType::kQ2_K>);
  set(DataType::kQ3_K, MatMulQuantised<DataType::kQ3_K>);
  set(DataType::kIQ4_NL, MatMulQuantised<DataType::kIQ4_NL>);
  set(DataType::kIQ4_XS, MatMulQuantised<DataType::kIQ4_XS>);
  set(DataType::kMXFP4, MatMulQuantised<DataType::kMXFP4>);
  return table;
}

}  // namespace headway::kernels::reference
