#pragma once

// Vectors of bytes: sixty-four in four registers, as a line of a weight tile or of a plane has them.

#include <cstddef>
#include <cstdint>

#include "kernels/neon/lanes.h"

namespace headway::kernels::neon {

// Codes of four channels of sixteen rows, and bytes in general.
struct Codes {
  int8x16_t of[4];
};
struct Bytes {
  uint8x16_t of[4];
};

HW_KERNEL_INLINE Bytes LoadLine(const std::byte* p) {
  const uint8x16x4_t line = vld1q_u8_x4(reinterpret_cast<const uint8_t*>(p));
  return {{line.val[0], line.val[1], line.val[2], line.val[3]}};
}
// The next line of a stream. No instruction: keeps the compiler from computing every address by
// itself, where a load could advance the pointer.
HW_KERNEL_INLINE Bytes TakeLine(const std::byte** p) {
  const Bytes line = LoadLine(*p);
  *p += 64;
  asm("" : "+r"(*p));  // NOLINT(hicpp-no-assembler)
  return line;
}
HW_KERNEL_INLINE Codes AsCodes(const Bytes& bytes) {
  return Each<Codes>([](uint8x16_t a) { return vreinterpretq_s8_u8(a); }, bytes);
}
HW_KERNEL_INLINE uint32x4_t WordsOf(uint8x16_t a) { return vreinterpretq_u32_u8(a); }
HW_KERNEL_INLINE uint8x16_t BytesOf(uint32x4_t a) { return vreinterpretq_u8_u32(a); }
HW_KERNEL_INLINE Bytes And(const Bytes& a, uint8_t mask) {
  return Each<Bytes>([&](uint8x16_t x) { return vandq_u8(x, vdupq_n_u8(mask)); }, a);
}
HW_KERNEL_INLINE Bytes Or(const Bytes& a, const Bytes& b) {
  return Each<Bytes>([](uint8x16_t x, uint8x16_t y) { return vorrq_u8(x, y); }, a, b);
}
template <int kBits>
HW_KERNEL_INLINE Bytes ShiftBytesRight(const Bytes& a) {
  if constexpr (kBits == 0) {
    return a;
  } else {
    return Each<Bytes>([](uint8x16_t x) { return vshrq_n_u8(x, kBits); }, a);
  }
}
// The words of a, shifted to the right, to the left for negative numbers.
HW_KERNEL_INLINE Bytes ShiftWordsRight(const Bytes& a, int64_t bits) {
  const int32x4_t by = vdupq_n_s32(-static_cast<int32_t>(bits));
  return Each<Bytes>([&](uint8x16_t x) { return BytesOf(vshlq_u32(WordsOf(x), by)); }, a);
}
// Byte kByte of every word, as a word.
template <int kByte>
HW_KERNEL_INLINE uint32x4_t ByteOfWords(uint8x16_t words) {
  constexpr uint32_t kFirst = 0xffffff00U + kByte;
  alignas(16) static constexpr uint32_t kIndex[4] = {kFirst, kFirst + 4, kFirst + 8, kFirst + 12};
  return WordsOf(vqtbl1q_u8(words, BytesOf(vld1q_u32(kIndex))));
}

}  // namespace headway::kernels::neon
