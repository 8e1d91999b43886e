#pragma once

// Byte layouts of the quantised blocks as GGUF stores them, little-endian, and what a block means.
// `x[i]` is the value of element i. Source: GGUF specification and the block definitions of ggml
// (facts of the format).

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

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);
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

}  // namespace headway
