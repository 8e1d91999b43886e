#include "kernels/tiles.h"

#include <gtest/gtest.h>

#include <bit>
#include <string>

#include "kernels/matrix_fixture.h"

namespace headway::kernels {
namespace {

class TilesTest : public testing::TestWithParam<DataType> {};

INSTANTIATE_TEST_SUITE_P(Types, TilesTest, testing::ValuesIn(kWeightTypes),
                         [](const auto& entry) { return std::string(Traits(entry.param).name); });

// Bits, so that -0 and NaN count too.
void ExpectSameBits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(a[i]), std::bit_cast<uint32_t>(b[i])) << i;
  }
}

TEST_P(TilesTest, UnpackTileRow_AfterPack_EqualsTheCodec) {
  for (const MatrixShape shape : kTestShapes) {
    if (shape.channels % Traits(GetParam()).block_elements != 0) continue;
    for (const Filling filling : {Filling::kRandom, Filling::kExtremes}) {
      const TestMatrix matrix(GetParam(), shape, filling, 7);
      std::vector<float> unpacked(static_cast<size_t>(shape.channels));
      std::vector<float> expected(unpacked.size());
      for (int64_t row = 0; row < shape.rows; ++row) {
        UnpackTileRow(GetParam(), matrix.Tile(row / kTileRows), row % kTileRows, shape.channels,
                      unpacked.data());
        DequantiseRow(GetParam(), matrix.GgufRow(row).data(), shape.channels, expected.data());
        ExpectSameBits(unpacked, expected);
      }
    }
  }
}

TEST_P(TilesTest, PackTile_MissingRows_AreZeroBytesOfValueZero) {
  const TestMatrix matrix(GetParam(), {65, 256}, Filling::kRandom, 3);
  std::vector<float> row(256, 1.0F);
  UnpackTileRow(GetParam(), matrix.Tile(1), 5, 256, row.data());
  for (const float value : row) EXPECT_EQ(value, 0.0F);
}

TEST_P(TilesTest, TileBytes_AreTheRowsRoundedUp) {
  for (const int64_t channels : {int64_t{256}, int64_t{512}, int64_t{3072}}) {
    const int64_t bytes = TileBytes(GetParam(), channels);
    EXPECT_EQ(bytes % 64, 0);
    EXPECT_GE(bytes, kTileRows * RowBytes(GetParam(), channels));
    EXPECT_LT(bytes, kTileRows * RowBytes(GetParam(), channels) + 4 * 64);
  }
}

}  // namespace
}  // namespace headway::kernels
