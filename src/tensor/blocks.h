#pragma once

// Byte layouts of the quantised blocks as GGUF stores them, little-endian, and what a block means.
// `x[i]` is the value of element i. Source: GGUF specification and the block definitions of ggml
// (facts of the format).

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "tensor/half.h"

namespace headway {

inline constexpr int64_t kBlock32 = 32;    // elements of the simple blocks
inline constexpr int64_t kBlock256 = 256;  // elements of the K blocks

// x[i] = d * q[i]
struct BlockQ8_0 {
  F16 d;
  int8_t q[32];
};

// x[i] = d * (nibble(i) - 8); nibble(i) for i < 16 is the low half of q[i], for i >= 16 the high
// half of q[i - 16].
struct BlockQ4_0 {
  F16 d;
  uint8_t q[16];
};

// x[i] = d * nibble(i) + m
struct BlockQ4_1 {
  F16 d;
  F16 m;
  uint8_t q[16];
};

// x[i] = d * ((nibble(i) | bit(i) << 4) - 16); bit(i) is bit i of the little-endian 32-bit word
// `high`.
struct BlockQ5_0 {
  F16 d;
  uint8_t high[4];
  uint8_t q[16];
};

// x[i] = d * (nibble(i) | bit(i) << 4) + m
struct BlockQ5_1 {
  F16 d;
  F16 m;
  uint8_t high[4];
  uint8_t q[16];
};

// Eight sub-blocks of 32. x[i] = d * scale[s] * nibble(i) - dmin * min[s], s = i / 32. Elements
// [64p, 64p + 32) are the low halves of q[32p ..), [64p + 32, 64p + 64) the high halves. `scales`
// packs eight 6-bit scales and eight 6-bit mins (see SubScale).
struct BlockQ4_K {
  F16 d;
  F16 dmin;
  uint8_t scales[12];
  uint8_t q[128];
};

// As Q4_K with a fifth bit: bit s of high[i % 32] for sub-block s.
struct BlockQ5_K {
  F16 d;
  F16 dmin;
  uint8_t scales[12];
  uint8_t high[32];
  uint8_t q[128];
};

// Sixteen sub-blocks of 16. x[i] = d * scale[i / 16] * (six(i) - 32). In each half h of 128
// elements, with j = i % 32 and quarter k = (i % 128) / 32: the low four bits are nibble (k / 2) of
// low[64h + 32 (k % 2) + j], the high two bits are bits 2k, 2k + 1 of high[32h + j].
struct BlockQ6_K {
  uint8_t low[128];
  uint8_t high[64];
  int8_t scale[16];
  F16 d;
};

// Sixteen sub-blocks of 16. x[i] = d * (scales[i / 16] & 15) * two(i) - dmin * (scales[i / 16] >> 4).
// In each half h of 128 elements, with j = i % 32 and quarter k = (i % 128) / 32, two(i) is bits 2k,
// 2k + 1 of q[32h + j].
struct BlockQ2_K {
  uint8_t scales[16];
  uint8_t q[64];
  F16 d;
  F16 dmin;
};

// Sixteen sub-blocks of 16. x[i] = d * (scale(i / 16) - 32) * (three(i) - 4): the low two bits of
// three(i) as in Q2_K, the third is bit 4h + k of high[j]. `scales` packs sixteen 6-bit scales (see
// UnpackQ3Scale).
struct BlockQ3_K {
  uint8_t high[32];
  uint8_t q[64];
  uint8_t scales[12];
  F16 d;
};

// The values that the codes of IQ4_NL and IQ4_XS stand for: finer near zero, as weights are.
inline constexpr std::array<int8_t, 16> kIQ4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                      1,    13,   25,  38,  53,  69,  89,  113};

// x[i] = d * kIQ4Values[nibble(i)], nibbles as in Q4_0
struct BlockIq4Nl {
  F16 d;
  uint8_t q[16];
};

// Eight sub-blocks of 32. x[i] = d * (scale(s) - 32) * kIQ4Values[nibble(i)], s = i / 32; sub-block s
// has the bytes [16s, 16s + 16) of q, nibbles as in Q4_0. Of scale(s) the low four bits are nibble
// s % 2 of scales_low[s / 2], the high two are bits 2s, 2s + 1 of scales_high.
struct BlockIq4Xs {
  F16 d;
  uint16_t scales_high;
  uint8_t scales_low[4];
  uint8_t q[128];
};

// Twice the sixteen numbers of four bits (OCP Microscaling Formats, FP4 E2M1).
inline constexpr std::array<int8_t, 16> kFP4Values = {0, 1,  2,  3,  4,  6,  8,  12,
                                                      0, -1, -2, -3, -4, -6, -8, -12};

// x[i] = MxScale(e) * kFP4Values[nibble(i)], nibbles as in Q4_0
struct BlockMXFP4 {
  uint8_t e;
  uint8_t q[16];
};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockIq4Nl) == 18 && sizeof(BlockIq4Xs) == 136 && sizeof(BlockMXFP4) == 17);
static_assert(offsetof(BlockQ6_K, d) == 208 && offsetof(BlockQ5_K, q) == 48);

struct SubScale {
  uint8_t scale;  // 0..63
  uint8_t min;    // 0..63
};

// The 6-bit scale and min of sub-block s (0..7) of a Q4_K or Q5_K block: sub-blocks 0-3 use the low
// six bits of bytes s and s + 4; sub-blocks 4-7 take four bits from byte s + 4 and two from the top
// of bytes s - 4 and s.
inline SubScale UnpackSubScale(const uint8_t scales[12], int s) {
  if (s < 4) {
    return {static_cast<uint8_t>(scales[s] & 63), static_cast<uint8_t>(scales[s + 4] & 63)};
  }
  return {static_cast<uint8_t>((scales[s + 4] & 15) | ((scales[s - 4] >> 6) << 4)),
          static_cast<uint8_t>((scales[s + 4] >> 4) | ((scales[s] >> 6) << 4))};
}

// The 6-bit scale (0..63) of sub-block s (0..15) of a Q3_K block: the low four bits are nibble s / 8
// of byte s % 8, the high two bits 2 (s / 4), 2 (s / 4) + 1 of byte 8 + s % 4.
inline int UnpackQ3Scale(const uint8_t scales[12], int s) {
  return (scales[s % 8] >> (s / 8 * 4) & 15) | (scales[8 + s % 4] >> (s / 4 * 2) & 3) << 4;
}

// The 6-bit scale (0..63) of sub-block s (0..7) of an IQ4_XS block.
inline int UnpackIQ4Scale(const uint8_t scales_low[4], uint16_t scales_high, int s) {
  return (scales_low[s / 2] >> (s % 2 * 4) & 15) | (scales_high >> (2 * s) & 3) << 4;
}

// 2^(e - 128): half of what a shared exponent (E8M0) stands for, because kFP4Values are doubled. The
// two smallest are denormal.
inline float MxScale(uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000U << e : (e - 1U) << 23);
}

}  // namespace headway
