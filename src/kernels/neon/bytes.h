#pragma once

// Vectors of bytes: sixty-four in four registers, as a line of a weight tile or of a plane has them,
// or one half of a line.

#include <cstddef>
#include <cstdint>

#include "kernels/neon/lanes.h"

namespace headway::kernels::neon {

// Codes of four channels of the rows, and bytes in general.
template <size_t kCount>
using CodesOf = Registers<int8x16_t, kCount>;
template <size_t kCount>
using BytesOf = Registers<uint8x16_t, kCount>;
using Codes = CodesOf<4>;
using Bytes = BytesOf<4>;

template <size_t kCount = 4>
HW_KERNEL_INLINE BytesOf<kCount> LoadLine(const std::byte* p) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(p);
  if constexpr (kCount == 2) {
    return {{vld1q_u8(bytes), vld1q_u8(bytes + 16)}};
  } else {
    const uint8x16x4_t line = vld1q_u8_x4(bytes);
    return {{line.val[0], line.val[1], line.val[2], line.val[3]}};
  }
}
// The next line of a stream.
template <size_t kCount = 4>
HW_KERNEL_INLINE BytesOf<kCount> TakeLine(const std::byte** p) {
  const BytesOf<kCount> line = LoadLine<kCount>(*p);
  *p += 64;
  // No instruction: keeps the compiler from computing every address by itself, where a load of four
  // registers could advance the pointer. Loads of two take an offset.
  if constexpr (kCount == 4) asm("" : "+r"(*p));  // NOLINT(hicpp-no-assembler)
  return line;
}
template <size_t kCount>
HW_KERNEL_INLINE CodesOf<kCount> AsCodes(const BytesOf<kCount>& bytes) {
  return Each<CodesOf<kCount>>([](uint8x16_t a) { return vreinterpretq_s8_u8(a); }, bytes);
}
HW_KERNEL_INLINE uint32x4_t WordsOf(uint8x16_t a) { return vreinterpretq_u32_u8(a); }
HW_KERNEL_INLINE uint8x16_t AsBytes(uint32x4_t a) { return vreinterpretq_u8_u32(a); }
template <size_t kCount>
HW_KERNEL_INLINE BytesOf<kCount> And(const BytesOf<kCount>& a, uint8_t mask) {
  return Each<BytesOf<kCount>>([&](uint8x16_t x) { return vandq_u8(x, vdupq_n_u8(mask)); }, a);
}
template <size_t kCount>
HW_KERNEL_INLINE BytesOf<kCount> Or(const BytesOf<kCount>& a, const BytesOf<kCount>& b) {
  return Each<BytesOf<kCount>>([](uint8x16_t x, uint8x16_t y) { return vorrq_u8(x, y); }, a, b);
}
template <int kBits, size_t kCount>
HW_KERNEL_INLINE BytesOf<kCount> ShiftBytesRight(const BytesOf<kCount>& a) {
  if constexpr (kBits == 0) {
    return a;
  } else {
    return Each<BytesOf<kCount>>([](uint8x16_t x) { return vshrq_n_u8(x, kBits); }, a);
  }
}
// The words of a, shifted to the right, to the left for negative numbers.
template <size_t kCount>
HW_KERNEL_INLINE BytesOf<kCount> ShiftWordsRight(const BytesOf<kCount>& a, int64_t bits) {
  const int32x4_t by = vdupq_n_s32(-static_cast<int32_t>(bits));
  return Each<BytesOf<kCount>>([&](uint8x16_t x) { return AsBytes(vshlq_u32(WordsOf(x), by)); }, a);
}
// Byte kByte of every word, as a word.
template <int kByte>
HW_KERNEL_INLINE uint32x4_t ByteOfWords(uint8x16_t words) {
  constexpr uint32_t kFirst = 0xffffff00U + kByte;
  alignas(16) static constexpr uint32_t kIndex[4] = {kFirst, kFirst + 4, kFirst + 8, kFirst + 12};
  return WordsOf(vqtbl1q_u8(words, AsBytes(vld1q_u32(kIndex))));
}

}  // namespace headway::kernels::neon
