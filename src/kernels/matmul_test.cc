// Products: the reference against numbers worked out by hand and against exact products in double
// precision; every other set against the reference, bit for bit.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>

#include "kernels/matrix_fixture.h"
#include "kernels/reference/reference.h"
#include "tensor/blocks.h"

namespace headway::kernels {
namespace {

class MatMulTest : public testing::TestWithParam<DataType> {};

INSTANTIATE_TEST_SUITE_P(Types, MatMulTest, testing::ValuesIn(kWeightTypes),
                         [](const auto& entry) { return std::string(Traits(entry.param).name); });

bool Fits(DataType type, MatrixShape shape) {
  return shape.channels % Traits(type).block_elements == 0;
}

TEST(MatMulReferenceTest, Q8_0_OneBlock_WorkedByHand) {
  // x = 127, 0, -127, 0, ...: amax 127, d = 1, q = x. w = 0.5 * (1, 2, 3, ...).
  BlockQ8_0 block{.d = ToF16(0.5F), .q = {}};
  std::vector<float> x(32, 0.0F);
  for (int i = 0; i < 32; ++i) block.q[i] = static_cast<int8_t>(i + 1);
  x[0] = 127.0F;
  x[2] = -127.0F;
  x[5] = 2.0F;
  AlignedBuffer tile(static_cast<size_t>(TileBytes(DataType::kQ8_0, 32)));
  const std::byte* row = reinterpret_cast<const std::byte*>(&block);
  PackTile(DataType::kQ8_0, {&row, 1}, 32, tile.data());
  ActivationBlock activation;
  const QuantisedRows rows{&activation, 1, 32};
  reference::QuantiseRows(x.data(), 32, 0, 1, rows);
  EXPECT_EQ(activation.scale, 1.0F);
  EXPECT_EQ(activation.scaled_sum, 2.0F);
  EXPECT_EQ(activation.offset_q8, -256);
  float y = 0.0F;
  reference::Set().matmul[static_cast<size_t>(DataType::kQ8_0)]({.tiles = tile.data(),
                                                                 .num_rows = 1,
                                                                 .num_channels = 32,
                                                                 .tile_begin = 0,
                                                                 .tile_end = 1,
                                                                 .num_tokens = 1,
                                                                 .xq = rows,
                                                                 .y = &y,
                                                                 .y_stride = 1});
  EXPECT_EQ(y, 0.5F * (127.0F * 1.0F - 127.0F * 3.0F + 2.0F * 6.0F));
}

// The bound. For quantised types compare with the exact product of the weights' values (double)
// with the dequantised activations d * q. Every block adds at most three roundings of relative size
// u = 2^-24 to its terms (the scale product, the fma, the scaled sum) and the chain of fmas one a
// block (K types: one a block inside 256 channels and two for each 256, fewer in all):
//
//   |error| <= gamma(2 B + 4) * sum of |w||x| over blocks
//
// where |w||x| of the offset form counts the two parts (scale * code and min) separately. For float
// types the chains are D / 4 fmas and two additions: gamma(D / 4 + 2) * sum |w x|. Denormal results
// add at most 2^-149 a step.
TEST_P(MatMulTest, Reference_AgainstExactProducts_WithinTheDerivedBound) {
  for (const MatrixShape shape : kTestShapes) {
    if (!Fits(GetParam(), shape)) continue;
    const TestMatrix matrix(GetParam(), shape, Filling::kRandom, 11);
    constexpr int64_t kTokens = 3;
    std::vector<float> x = TestActivations(kTokens, shape.channels, 5);
    const std::vector<float> y =
        Multiply(reference::Set(), matrix, x, kTokens, 0, NumTiles(shape.rows));
    const int64_t blocks = shape.channels / 32;
    if (IsQuantised(GetParam())) {
      std::vector<ActivationBlock> memory(static_cast<size_t>(kTokens * blocks));
      const QuantisedRows rows{memory.data(), kTokens, shape.channels};
      reference::QuantiseRows(x.data(), shape.channels, 0, kTokens, rows);
      for (int64_t i = 0; i < kTokens * shape.channels; ++i) {
        const ActivationBlock& block = *rows.Block(i / shape.channels, i % shape.channels / 32);
        x[static_cast<size_t>(i)] = block.scale * static_cast<float>(block.q[i % 32]);
      }
    }
    const double steps = IsQuantised(GetParam()) ? 2.0 * static_cast<double>(blocks) + 4
                                                 : static_cast<double>(shape.channels) / 4 + 2;
    const double gamma = steps * 0x1p-24 / (1 - steps * 0x1p-24);
    std::vector<float> weights(static_cast<size_t>(shape.channels));
    for (int64_t r = 0; r < shape.rows; ++r) {
      DequantiseRow(GetParam(), matrix.GgufRow(r).data(), shape.channels, weights.data());
      for (int64_t t = 0; t < kTokens; ++t) {
        double exact = 0;
        double magnitude = 0;
        for (int64_t c = 0; c < shape.channels; ++c) {
          const double w = weights[static_cast<size_t>(c)];
          const double value = x[static_cast<size_t>(t * shape.channels + c)];
          exact += w * value;
          // The two parts of w = scale * code + min are at most three times the largest |w| of the
          // block of 32.
          double largest = 0;
          for (int64_t i = c / 32 * 32; i < c / 32 * 32 + 32; ++i) {
            largest = std::max(largest, std::fabs(double{weights[static_cast<size_t>(i)]}));
          }
          magnitude += (IsQuantised(GetParam()) ? 3 * largest : std::fabs(w)) * std::fabs(value);
        }
        const double error = y[static_cast<size_t>(t * shape.rows + r)] - exact;
        ASSERT_LE(std::fabs(error), gamma * magnitude + steps * 0x1p-149)
            << "row " << r << " token " << t << " D " << shape.channels;
      }
    }
  }
}

void ExpectSameProducts(const KernelSet& set, const TestMatrix& matrix, int64_t tokens) {
  const MatrixShape shape = matrix.Shape();
  // One float off: no alignment may be assumed of activations.
  std::vector<float> x = TestActivations(tokens + 1, shape.channels, 23);
  const std::span<const float> shifted = std::span<const float>(x).subspan(1);
  const int64_t tiles = NumTiles(shape.rows);
  for (int64_t begin = 0; begin < tiles; begin = begin == 0 ? tiles / 2 + 1 : tiles) {
    const int64_t end = begin == 0 ? tiles : tiles;
    const std::vector<float> expected =
        Multiply(reference::Set(), matrix, shifted, tokens, begin, end);
    const std::vector<float> actual = Multiply(set, matrix, shifted, tokens, begin, end);
    ASSERT_EQ(expected.size(), actual.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(expected[i]), std::bit_cast<uint32_t>(actual[i]))
          << set.name << " rows " << shape.rows << " D " << shape.channels << " T " << tokens
          << " at " << i << ": " << expected[i] << " and " << actual[i];
    }
  }
}

TEST_P(MatMulTest, EverySet_EqualsTheReference_BitForBit) {
  for (const KernelSet& set : FastSets()) {
    for (const MatrixShape shape : kTestShapes) {
      if (!Fits(GetParam(), shape)) continue;
      for (const Filling filling : {Filling::kRandom, Filling::kZeros, Filling::kExtremes}) {
        const TestMatrix matrix(GetParam(), shape, filling, 31);
        for (const int64_t tokens : kTestTokens) {
          const bool small = shape.rows * shape.channels < 20000;
          if (small || (tokens < 10 && filling == Filling::kRandom)) {
            ExpectSameProducts(set, matrix, tokens);
          }
        }
      }
    }
  }
}

// A token's product is the same bits alone and among others.
TEST_P(MatMulTest, EverySet_TokenAlone_EqualsTokenInABatch) {
  const MatrixShape shape{33, 512};
  const TestMatrix matrix(GetParam(), shape, Filling::kRandom, 2);
  const std::vector<float> x = TestActivations(11, shape.channels, 9);
  for (const KernelSet& set : FastSets()) {
    const std::vector<float> all = Multiply(set, matrix, x, 11, 0, 3);
    for (int64_t t = 0; t < 11; ++t) {
      const std::vector<float> alone =
          Multiply(set, matrix,
                   std::span<const float>(x).subspan(static_cast<size_t>(t) * 512, 512), 1, 0, 3);
      for (size_t r = 0; r < 33; ++r) ASSERT_EQ(alone[r], all[static_cast<size_t>(t) * 33 + r]);
    }
  }
}

// The rows of single strips are the same bits as in the whole; nothing else is written.
TEST_P(MatMulTest, EverySet_SingleStrips_EqualTheWhole) {
  for (const MatrixShape shape : {MatrixShape{130, 768}, MatrixShape{64, 256}}) {
    const TestMatrix matrix(GetParam(), shape, Filling::kRandom, 8);
    constexpr int64_t kTokens = 2;
    const std::vector<float> x = TestActivations(kTokens, shape.channels, 6);
    std::vector<KernelSet> sets = FastSets();
    sets.push_back(reference::Set());
    for (const KernelSet& set : sets) {
      const std::vector<float> whole = Multiply(set, matrix, x, kTokens, 0, NumTiles(shape.rows));
      AlignedBuffer memory(static_cast<size_t>(QuantisedRowsBytes(kTokens, shape.channels)));
      const QuantisedRows rows{memory.Pointer<ActivationBlock>(), kTokens, shape.channels};
      set.quantise_rows(x.data(), shape.channels, 0, kTokens, rows);
      for (int64_t strip = 0; strip * kStripRows < shape.rows; ++strip) {
        constexpr float kUnwritten = -7777.0F;
        std::vector<float> y(static_cast<size_t>(kTokens * shape.rows), kUnwritten);
        set.matmul[static_cast<size_t>(GetParam())]({.tiles = matrix.Tiles(),
                                                     .num_rows = shape.rows,
                                                     .num_channels = shape.channels,
                                                     .tile_begin = strip / kTileStrips,
                                                     .tile_end = strip / kTileStrips + 1,
                                                     .strip_begin = strip % kTileStrips,
                                                     .strip_end = strip % kTileStrips + 1,
                                                     .num_tokens = kTokens,
                                                     .xq = rows,
                                                     .x = x.data(),
                                                     .x_stride = shape.channels,
                                                     .y = y.data(),
                                                     .y_stride = shape.rows});
        for (int64_t t = 0; t < kTokens; ++t) {
          for (int64_t row = 0; row < shape.rows; ++row) {
            const auto i = static_cast<size_t>(t * shape.rows + row);
            const float expected = row / kStripRows == strip ? whole[i] : kUnwritten;
            ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(expected))
                << set.name << " strip " << strip << " row " << row;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace headway::kernels
