#include "tensor/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tensor/blocks.h"

namespace headway {
namespace {

template <class Block>
std::vector<float> Decode(DataType type, const Block& block) {
  std::vector<std::byte> shifted(sizeof(Block) + 1);  // odd address: rows in files are not aligned
  std::memcpy(shifted.data() + 1, &block, sizeof(Block));
  std::vector<float> out(static_cast<size_t>(Traits(type).block_elements));
  DequantiseRow(type, shifted.data() + 1, Traits(type).block_elements, out.data());
  return out;
}

// The blocks below were written out by hand from the layouts in docs/formats/gguf.md.

TEST(DequantiseRowTest, Q8_0_HandMadeBlock) {
  BlockQ8_0 block{};
  block.d.bits = 0x3800;  // 0.5
  block.q[0] = -127;
  block.q[7] = 3;
  block.q[31] = 127;
  const auto x = Decode(DataType::kQ8_0, block);
  EXPECT_EQ(x[0], -63.5F);
  EXPECT_EQ(x[1], 0.0F);
  EXPECT_EQ(x[7], 1.5F);
  EXPECT_EQ(x[31], 63.5F);
}

TEST(DequantiseRowTest, Q4_0_HandMadeBlock) {
  BlockQ4_0 block{};
  block.d.bits = 0x3c00;  // 1
  block.q[0] = 0xf0;
  block.q[15] = 0x19;
  const auto x = Decode(DataType::kQ4_0, block);
  EXPECT_EQ(x[0], -8.0F);
  EXPECT_EQ(x[16], 7.0F);
  EXPECT_EQ(x[15], 1.0F);
  EXPECT_EQ(x[31], -7.0F);
}

TEST(DequantiseRowTest, Q4_1_HandMadeBlock) {
  BlockQ4_1 block{};
  block.d.bits = 0x4000;  // 2
  block.m.bits = 0xbc00;  // -1
  block.q[0] = 0xf3;
  const auto x = Decode(DataType::kQ4_1, block);
  EXPECT_EQ(x[0], 5.0F);
  EXPECT_EQ(x[16], 29.0F);
  EXPECT_EQ(x[1], -1.0F);
}

TEST(DequantiseRowTest, Q5_0_HandMadeBlock) {
  BlockQ5_0 block{};
  block.d.bits = 0x3c00;  // 1
  block.high[0] = 0x01;   // element 0
  block.high[3] = 0x80;   // element 31
  block.q[0] = 0x52;
  block.q[15] = 0xf0;
  const auto x = Decode(DataType::kQ5_0, block);
  EXPECT_EQ(x[0], 2.0F);
  EXPECT_EQ(x[16], -11.0F);
  EXPECT_EQ(x[15], -16.0F);
  EXPECT_EQ(x[31], 15.0F);
}

TEST(DequantiseRowTest, Q5_1_HandMadeBlock) {
  BlockQ5_1 block{};
  block.d.bits = 0x3800;  // 0.5
  block.m.bits = 0x3c00;  // 1
  block.high[2] = 0x02;   // element 17
  block.q[1] = 0xa4;
  const auto x = Decode(DataType::kQ5_1, block);
  EXPECT_EQ(x[1], 3.0F);
  EXPECT_EQ(x[17], 14.0F);
  EXPECT_EQ(x[0], 1.0F);
}

// Sub-block 0: scale 3, min 2. Sub-block 1: scale 1, min 0. Sub-block 4: scale 5 + 2 * 16, min 9 +
// 1 * 16.
constexpr uint8_t kScales[12] = {0x83, 0x01, 0, 0, 0x42, 0, 0, 0, 0x95, 0, 0, 0};

TEST(DequantiseRowTest, Q4_K_HandMadeBlock) {
  BlockQ4_K block{};
  block.d.bits = 0x3c00;     // 1
  block.dmin.bits = 0x3800;  // 0.5
  std::copy(std::begin(kScales), std::end(kScales), block.scales);
  block.q[0] = 0x7a;
  block.q[64] = 0x0c;
  const auto x = Decode(DataType::kQ4_K, block);
  EXPECT_EQ(x[0], 3.0F * 10 - 1);
  EXPECT_EQ(x[1], -1.0F);
  EXPECT_EQ(x[32], 7.0F);
  EXPECT_EQ(x[128], 37.0F * 12 - 12.5F);
  EXPECT_EQ(x[129], -12.5F);
  EXPECT_EQ(x[255], 0.0F);
}

TEST(DequantiseRowTest, Q5_K_HandMadeBlock) {
  BlockQ5_K block{};
  block.d.bits = 0x3c00;
  block.dmin.bits = 0x3800;
  std::copy(std::begin(kScales), std::end(kScales), block.scales);
  block.q[0] = 0x7a;
  block.q[64] = 0x0c;
  block.high[0] = 0x11;  // sub-blocks 0 and 4
  const auto x = Decode(DataType::kQ5_K, block);
  EXPECT_EQ(x[0], 3.0F * 26 - 1);
  EXPECT_EQ(x[32], 7.0F);
  EXPECT_EQ(x[128], 37.0F * 28 - 12.5F);
}

TEST(DequantiseRowTest, Q6_K_HandMadeBlock) {
  BlockQ6_K block{};
  block.d.bits = 0x3400;  // 0.25
  block.scale[0] = 2;
  block.scale[2] = 1;
  block.scale[4] = 4;
  block.scale[8] = -3;
  block.low[0] = 0x5b;
  block.low[32] = 0x07;
  block.low[64] = 0x0f;
  block.high[0] = 0x93;
  const auto x = Decode(DataType::kQ6_K, block);
  EXPECT_EQ(x[0], 0.25F * 2 * (0x3b - 32));
  EXPECT_EQ(x[32], 0.25F * 1 * (0x07 - 32));
  EXPECT_EQ(x[64], 0.25F * 4 * (0x15 - 32));
  EXPECT_EQ(x[96], 0.0F);
  EXPECT_EQ(x[128], 0.25F * -3 * (0x0f - 32));
}

// Sub-block 0: scale 3, min 2. Sub-block 9: scale 15, min 1.
TEST(DequantiseRowTest, Q2_K_HandMadeBlock) {
  BlockQ2_K block{};
  block.d.bits = 0x3c00;     // 1
  block.dmin.bits = 0x3800;  // 0.5
  block.scales[0] = 0x23;
  block.scales[9] = 0x1f;
  block.q[0] = 0xe2;   // elements 0, 32, 64, 96: 2, 0, 2, 3
  block.q[48] = 0x07;  // elements 144, 176, ...: 3, 1, 0, 0
  const auto x = Decode(DataType::kQ2_K, block);
  EXPECT_EQ(x[0], 3.0F * 2 - 1);
  EXPECT_EQ(x[1], -1.0F);
  EXPECT_EQ(x[32], 0.0F);
  EXPECT_EQ(x[144], 15.0F * 3 - 0.5F);
  EXPECT_EQ(x[145], -0.5F);
  EXPECT_EQ(x[176], 0.0F);
}

// Sub-block 0: scale 1 + 2 * 16 - 32 = 1. Sub-block 9: scale 12 + 0 * 16 - 32 = -20.
TEST(DequantiseRowTest, Q3_K_HandMadeBlock) {
  BlockQ3_K block{};
  block.d.bits = 0x3800;  // 0.5
  block.scales[0] = 0x01;
  block.scales[8] = 0x02;
  block.scales[1] = 0xc0;
  block.q[0] = 0x03;      // element 0
  block.high[0] = 0x01;   // element 0
  block.q[48] = 0x01;     // element 144
  block.high[17] = 0x10;  // element 145
  const auto x = Decode(DataType::kQ3_K, block);
  EXPECT_EQ(x[0], 0.5F * 1 * 3);
  EXPECT_EQ(x[1], 0.5F * 1 * -4);
  EXPECT_EQ(x[16], 0.5F * -32 * -4);
  EXPECT_EQ(x[144], 0.5F * -20 * -3);
  EXPECT_EQ(x[145], 0.0F);
}

TEST(DequantiseRowTest, IQ4_NL_HandMadeBlock) {
  BlockIq4Nl block{};
  block.d.bits = 0x3800;  // 0.5
  block.q[0] = 0xf0;
  block.q[15] = 0x87;
  const auto x = Decode(DataType::kIQ4_NL, block);
  EXPECT_EQ(x[0], -63.5F);
  EXPECT_EQ(x[16], 56.5F);
  EXPECT_EQ(x[15], -5.0F);
  EXPECT_EQ(x[31], 0.5F);
}

// Sub-block 3: scale 5 + 3 * 16 - 32 = 21.
TEST(DequantiseRowTest, IQ4_XS_HandMadeBlock) {
  BlockIq4Xs block{};
  block.d.bits = 0x3c00;  // 1
  block.scales_low[1] = 0x50;
  block.scales_high = 0x00c0;
  block.q[48] = 0xf8;
  const auto x = Decode(DataType::kIQ4_XS, block);
  EXPECT_EQ(x[96], 21.0F * 1);
  EXPECT_EQ(x[112], 21.0F * 113);
  EXPECT_EQ(x[97], 21.0F * -127);
  EXPECT_EQ(x[0], -32.0F * -127);
}

TEST(DequantiseRowTest, MXFP4_HandMadeBlock) {
  BlockMXFP4 block{};
  block.e = 128;  // 2, of doubled values
  block.q[0] = 0xf7;
  block.q[15] = 0x81;
  auto x = Decode(DataType::kMXFP4, block);
  EXPECT_EQ(x[0], 12.0F);
  EXPECT_EQ(x[16], -12.0F);
  EXPECT_EQ(x[15], 1.0F);
  EXPECT_EQ(x[31], 0.0F);
  block.e = 0;
  x = Decode(DataType::kMXFP4, block);
  EXPECT_EQ(x[0], 12 * 0x1p-128F);
  block.e = 255;
  x = Decode(DataType::kMXFP4, block);
  EXPECT_EQ(x[0], std::numeric_limits<float>::infinity());
}

struct Precision {
  DataType type;
  // The largest root-mean-square error relative to the values' on Gaussian weights: a little above
  // what an exhaustive search over scales reaches for the format.
  double relative_rms;
  // No single value is off by more than max|x| / steps: about one level of its group, and for the K
  // types the rounding of the sub-scales on top.
  double steps;
};

constexpr Precision kPrecisions[] = {
    {DataType::kF32, 0, 1e9},       {DataType::kF16, 0x1p-12, 2048}, {DataType::kBF16, 0x1p-9, 256},
    {DataType::kQ4_0, 0.088, 6},    {DataType::kQ4_1, 0.077, 6},     {DataType::kQ5_0, 0.044, 13},
    {DataType::kQ5_1, 0.038, 13},   {DataType::kQ8_0, 0.0060, 250},  {DataType::kQ4_K, 0.079, 6},
    {DataType::kQ5_K, 0.040, 13},   {DataType::kQ6_K, 0.019, 30},    {DataType::kQ2_K, 0.28, 1.5},
    {DataType::kQ3_K, 0.15, 2.5},   {DataType::kIQ4_NL, 0.075, 5},   {DataType::kIQ4_XS, 0.076, 5},
    {DataType::kMXFP4, 0.115, 3.9},
};

std::vector<float> RoundTrip(DataType type, const std::vector<float>& x) {
  const auto n = static_cast<int64_t>(x.size());
  std::vector<std::byte> row(static_cast<size_t>(RowBytes(type, n)) + 8, std::byte{0xa5});
  QuantiseRow(type, x.data(), n, row.data());
  for (size_t i = row.size() - 8; i < row.size(); ++i)
    EXPECT_EQ(row[i], std::byte{0xa5});  // canary
  std::vector<float> out(x.size());
  DequantiseRow(type, row.data(), n, out.data());
  return out;
}

std::vector<float> Filled(size_t n, const std::function<float()>& draw) {
  std::vector<float> x(n);
  std::generate(x.begin(), x.end(), draw);
  return x;
}

class CodecTest : public testing::TestWithParam<Precision> {};
INSTANTIATE_TEST_SUITE_P(AllTypes, CodecTest, testing::ValuesIn(kPrecisions),
                         [](const auto& param) {
                           return std::string(Traits(param.param.type).name);
                         });

TEST_P(CodecTest, GaussianRow_ErrorWithinTheFormatsBound) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  const auto x = Filled(16384, [&] { return normal(random); });
  const auto y = RoundTrip(GetParam().type, x);
  double error = 0;
  double power = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    error += std::pow(static_cast<double>(x[i]) - static_cast<double>(y[i]), 2);
    power += std::pow(static_cast<double>(x[i]), 2);
  }
  RecordProperty("relative_rms_ppm", static_cast<int>(1e6 * std::sqrt(error / power)));
  EXPECT_LE(std::sqrt(error / power), GetParam().relative_rms);
}

TEST_P(CodecTest, AnyRow_EachErrorWithinAStep) {
  std::mt19937 random(8);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  for (int trial = 0; trial < 200; ++trial) {
    // From 1/8 up: below, block scales become binary16 denormals and lose bits.
    const float magnitude = std::ldexp(1.0F, trial % 16 - 3);
    const auto x = Filled(256, [&] { return magnitude * uniform(random); });
    const auto y = RoundTrip(GetParam().type, x);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_LE(std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i])),
                static_cast<double>(magnitude) / GetParam().steps)
          << "element " << i;
    }
  }
}

TEST_P(CodecTest, Zeros_StayZero) {
  const auto y = RoundTrip(GetParam().type, std::vector<float>(512, 0.0F));
  for (const float value : y) EXPECT_EQ(value, 0.0F);
}

// One outlier among zeros survives, and so do the zeros around it.
TEST_P(CodecTest, SingleOutlier_Survives) {
  for (const float outlier : {3.0F, -3.0F}) {
    std::vector<float> x(256, 0.0F);
    x[37] = outlier;
    const auto y = RoundTrip(GetParam().type, x);
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], x[i], 0.04) << "element " << i;
  }
}

TEST_P(CodecTest, ExtremesAndNonFinite_AreTotalAndDeterministic) {
  std::vector<float> x(512, 1.0F);
  x[0] = std::numeric_limits<float>::quiet_NaN();
  x[1] = std::numeric_limits<float>::infinity();
  x[40] = -std::numeric_limits<float>::infinity();
  x[70] = std::numeric_limits<float>::max();
  x[100] = std::numeric_limits<float>::denorm_min();
  x[300] = 1e-30F;
  const auto n = static_cast<int64_t>(x.size());
  std::vector<std::byte> first(static_cast<size_t>(RowBytes(GetParam().type, n)));
  std::vector<std::byte> second(first.size(), std::byte{0xff});
  QuantiseRow(GetParam().type, x.data(), n, first.data());
  QuantiseRow(GetParam().type, x.data(), n, second.data());
  EXPECT_EQ(first, second);
}

TEST_P(CodecTest, AnyBytes_Decode) {
  std::mt19937 random(9);
  std::vector<std::byte> row(static_cast<size_t>(RowBytes(GetParam().type, 512)));
  std::vector<float> out(512);
  for (int trial = 0; trial < 500; ++trial) {
    for (auto& byte : row) byte = static_cast<std::byte>(random());
    DequantiseRow(GetParam().type, row.data(), 512, out.data());
  }
}

TEST_P(CodecTest, EmptyRow_TouchesNothing) {
  DequantiseRow(GetParam().type, nullptr, 0, nullptr);
  QuantiseRow(GetParam().type, nullptr, 0, nullptr);
}

}  // namespace
}  // namespace headway
