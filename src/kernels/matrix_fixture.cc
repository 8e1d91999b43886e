#include "kernels/matrix_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "kernels/tile_layout.h"
#include "tensor/blocks.h"

namespace headway::kernels {
namespace {

constexpr float kCanary = -12345.5F;

void FillExtremes(DataType type, std::span<std::byte> row, std::mt19937* random) {
  for (std::byte& byte : row) byte = static_cast<std::byte>((*random)() & 255U);
  if (type == DataType::kMXFP4) {  // every exponent is a number
    constexpr uint8_t kExponents[] = {0, 1, 2, 127, 128, 200, 254, 255};
    for (size_t block = 0; block < row.size(); block += 17) {
      row[block] = std::byte{kExponents[(*random)() % std::size(kExponents)]};
    }
    return;
  }
  constexpr uint16_t kHalves[] = {0x7bff, 0xfbff, 0x0001, 0x8001, 0x0000, 0x3c00, 0x03ff, 0x1234};
  const auto block_bytes = static_cast<size_t>(Traits(type).block_bytes);
  const size_t first = type == DataType::kQ6_K   ? offsetof(BlockQ6_K, d)
                       : type == DataType::kQ2_K ? offsetof(BlockQ2_K, d)
                       : type == DataType::kQ3_K ? offsetof(BlockQ3_K, d)
                                                 : 0;
  for (size_t block = 0; block < row.size(); block += block_bytes) {
    for (size_t i = 0; i < (HasMinimum(type) ? 2U : 1U); ++i) {
      const uint16_t half = kHalves[(*random)() % std::size(kHalves)];
      std::memcpy(&row[block + first + 2 * i], &half, sizeof half);
    }
    if (type == DataType::kQ8_0 && (*random)() % 3 == 0) {
      std::fill_n(row.begin() + static_cast<int64_t>(block) + 2, 32, std::byte{0x80});  // -128
    }
  }
}

}  // namespace

TestMatrix::TestMatrix(DataType type, MatrixShape shape, Filling filling, uint32_t seed)
    : type_(type), shape_(shape) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const auto row_bytes = static_cast<size_t>(RowBytes(type, shape.channels));
  rows_.resize(row_bytes * static_cast<size_t>(shape.rows));
  std::vector<float> values(static_cast<size_t>(shape.channels));
  for (int64_t r = 0; r < shape.rows; ++r) {
    const std::span row = std::span(rows_).subspan(static_cast<size_t>(r) * row_bytes, row_bytes);
    if (filling == Filling::kExtremes && IsQuantised(type)) FillExtremes(type, row, &random);
    if (filling == Filling::kRandom || (filling == Filling::kExtremes && !IsQuantised(type))) {
      for (float& value : values) value = normal(random) * (r % 3 == 2 ? 1e-4F : 1.0F);
      QuantiseRow(type, values.data(), shape.channels, row.data());
    }
  }
  tiles_ =
      AlignedBuffer(static_cast<size_t>(NumTiles(shape.rows) * TileBytes(type, shape.channels)));
  for (int64_t tile = 0; tile < NumTiles(shape.rows); ++tile) {
    std::vector<const std::byte*> pointers;
    for (int64_t r = tile * kTileRows; r < std::min((tile + 1) * kTileRows, shape.rows); ++r) {
      pointers.push_back(GgufRow(r).data());
    }
    PackTile(type, pointers, shape.channels,
             tiles_.data() + tile * TileBytes(type, shape.channels));
  }
}

std::span<const std::byte> TestMatrix::GgufRow(int64_t row) const {
  const auto row_bytes = static_cast<size_t>(RowBytes(type_, shape_.channels));
  return std::span(rows_).subspan(static_cast<size_t>(row) * row_bytes, row_bytes);
}

std::vector<KernelSet> FastSets() {
  std::vector<KernelSet> sets;
  for (const KernelSet* set : SupportedSets()) {
    if (set != nullptr && set->name != "reference") {
      sets.push_back(SelectKernels(set->name)->kernels);
    }
  }
  return sets;
}

std::vector<float> TestActivations(int64_t tokens, int64_t channels, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(tokens * channels));
  for (size_t i = 0; i < x.size(); i += 32) {
    const uint32_t kind = random() % 16;
    const float size = kind == 0 ? 0.0F : kind == 1 ? 1e-41F : kind == 2 ? 1e6F : 1.0F;
    for (size_t c = i; c < i + 32; ++c) x[c] = normal(random) * size;
    if (kind == 3) std::fill_n(x.begin() + static_cast<int64_t>(i), 32, -3.5F);  // all codes -127
  }
  return x;
}

std::vector<float> Multiply(const KernelSet& set, const TestMatrix& matrix,
                            std::span<const float> x, int64_t tokens, int64_t tile_begin,
                            int64_t tile_end) {
  const MatrixShape shape = matrix.Shape();
  constexpr int64_t kGuard = 16;
  const int64_t stride = shape.rows + 3;
  std::vector<float> y(static_cast<size_t>(tokens * stride + 2 * kGuard), kCanary);
  AlignedBuffer quantised(static_cast<size_t>(QuantisedRowsBytes(tokens, shape.channels)) + 64);
  const QuantisedRows rows{quantised.Pointer<ActivationBlock>(), tokens, shape.channels};
  if (IsQuantised(matrix.Type())) {
    set.quantise_rows(x.data(), shape.channels, 0, tokens / 2, rows);
    set.quantise_rows(x.data(), shape.channels, tokens / 2, tokens, rows);
  }
  set.matmul[static_cast<size_t>(matrix.Type())]({.tiles = matrix.Tiles(),
                                                  .num_rows = shape.rows,
                                                  .num_channels = shape.channels,
                                                  .tile_begin = tile_begin,
                                                  .tile_end = tile_end,
                                                  .num_tokens = tokens,
                                                  .xq = rows,
                                                  .x = x.data(),
                                                  .x_stride = shape.channels,
                                                  .y = y.data() + kGuard,
                                                  .y_stride = stride});
  std::vector<float> result;
  const int64_t row_begin = tile_begin * kTileRows;
  const int64_t row_end = std::min(tile_end * kTileRows, shape.rows);
  for (int64_t i = -kGuard; i < tokens * stride + kGuard; ++i) {
    const float value = y[static_cast<size_t>(i + kGuard)];
    const int64_t row = i % stride;
    const bool written = i >= 0 && i < tokens * stride && row >= row_begin && row < row_end;
    if (written) {
      result.push_back(value);
    } else {
      EXPECT_EQ(value, kCanary) << "written outside: " << i;
    }
  }
  return result;
}

}  // namespace headway::kernels
