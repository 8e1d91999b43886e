#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace headway {
namespace {

// Every 16-bit pattern survives the round trip, and its value is what IEEE 754 says.
TEST(HalfTest, F16_AllPatterns_RoundTrip) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const F16 half{static_cast<uint16_t>(bits)};
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const int mantissa = static_cast<int>(bits & 1023);
    const float value = ToFloat(half);
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), mantissa != 0);
      EXPECT_EQ(std::isinf(value), mantissa == 0);
    } else {
      const double magnitude =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      EXPECT_EQ(static_cast<double>(value), (bits & 0x8000) != 0 ? -magnitude : magnitude);
    }
    if (exponent != 31 || mantissa == 0) {
      EXPECT_EQ(ToF16(value).bits, half.bits);
    }
  }
}

// Between two neighbours the nearer wins; exactly between, the even one.
TEST(HalfTest, ToF16_Midpoints_TieToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = ToFloat(F16{static_cast<uint16_t>(bits)});
    const float high = ToFloat(F16{static_cast<uint16_t>(bits + 1)});
    const float middle = (low + high) / 2;  // exact in binary32
    EXPECT_EQ(ToF16(middle).bits, (bits & 1) == 0 ? bits : bits + 1);
    EXPECT_EQ(ToF16(std::nextafter(middle, 0.0F)).bits, bits);
    EXPECT_EQ(ToF16(std::nextafter(middle, 1e9F)).bits, bits + 1);
  }
  EXPECT_EQ(ToF16(65519.996F).bits, 0x7bff);
  EXPECT_EQ(ToF16(65520.0F).bits, 0x7c00);
}

TEST(HalfTest, BF16_AllPatterns_RoundTripAndTieToEven) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const BF16 half{static_cast<uint16_t>(bits)};
    if (std::isnan(ToFloat(half))) continue;
    EXPECT_EQ(ToBF16(ToFloat(half)).bits, half.bits);
  }
  EXPECT_EQ(ToBF16(std::bit_cast<float>(0x3f808000U)).bits, 0x3f80);
  EXPECT_EQ(ToBF16(std::bit_cast<float>(0x3f818000U)).bits, 0x3f82);
  EXPECT_TRUE(std::isnan(ToFloat(ToBF16(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace headway
