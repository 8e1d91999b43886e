#pragma once

// 16-bit floating point: storage types and exact conversions. F16 is IEEE 754 binary16, BF16 the
// upper half of binary32. Conversions to float are exact; to 16 bits they round to nearest, ties to
// even, like the hardware's, so that every instruction set gives the same bits.

#include <bit>
#include <cstdint>

namespace headway {

struct F16 {
  uint16_t bits;
  friend bool operator==(F16, F16) = default;
};

struct BF16 {
  uint16_t bits;
  friend bool operator==(BF16, BF16) = default;
};

static_assert(sizeof(F16) == 2 && sizeof(BF16) == 2);

// NaN stays NaN; infinities and denormals are kept.
inline float ToFloat(F16 half) {
  const uint32_t sign = static_cast<uint32_t>(half.bits & 0x8000U) << 16;
  const uint32_t exponent = (half.bits >> 10) & 0x1fU;
  const uint32_t mantissa = half.bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  if (exponent == 0) {  // zero or denormal: mantissa * 2^-24, exact in binary32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
}

inline float ToFloat(BF16 half) {
  return std::bit_cast<float>(static_cast<uint32_t>(half.bits) << 16);
}

// Overflow gives infinity; NaN gives a quiet NaN.
inline F16 ToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000U);
  const uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) {
    return {static_cast<uint16_t>(sign | 0x7e00U | ((magnitude >> 13) & 0x3ffU))};
  }
  if (magnitude >= 0x477ff000U) return {static_cast<uint16_t>(sign | 0x7c00U)};  // >= 65520
  if (magnitude < 0x38800000U) {  // below 2^-14: a denormal; adding 0.5 rounds at 2^-24
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000U))};
  }
  const uint32_t odd = (magnitude >> 13) & 1U;
  return {static_cast<uint16_t>(sign | ((magnitude - 0x38000000U + 0xfffU + odd) >> 13))};
}

inline BF16 ToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return {static_cast<uint16_t>((bits >> 16) | 0x40U)};
  return {static_cast<uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16)};
}

}  // namespace headway
