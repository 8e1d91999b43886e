#pragma once

// Products of 8-bit codes with the mixed dot products and the matrix products of Armv8.6 (Neoverse
// V1, Cortex-A710, Apple M2 and later).

#include "kernels/neon/lanes.h"

// clang-format off
#include "kernels/neon/region_i8mm_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::neon::i8mm {

inline constexpr bool kUnsignedCodes = true;
inline constexpr bool kSquares = true;
inline constexpr size_t kMostTokens = 4;

template <int kWord>
HW_KERNEL_INLINE void AddDots(int8x16_t codes, int8x16_t x, int32x4_t* sum) {
  asm volatile("sdot %0.4s, %1.16b, %2.4b[%3]"  // NOLINT(hicpp-no-assembler)
               : "+w"(*sum)
               : "w"(codes), "w"(x), "i"(kWord));
}

// Codes from 0 to 255.
template <int kWord>
HW_KERNEL_INLINE void AddDots(uint8x16_t codes, int8x16_t x, int32x4_t* sum) {
  asm volatile("usdot %0.4s, %1.16b, %2.4b[%3]"  // NOLINT(hicpp-no-assembler)
               : "+w"(*sum)
               : "w"(codes), "w"(x), "i"(kWord));
}

// Two rows of eight codes times two tokens of eight: row 0 with token 0 and 1, row 1 likewise.
HW_KERNEL_INLINE void AddSquare(int8x16_t codes, int8x16_t x, int32x4_t* sum) {
  asm volatile("smmla %0.4s, %1.16b, %2.16b"  // NOLINT(hicpp-no-assembler)
               : "+w"(*sum)
               : "w"(codes), "w"(x));
}
HW_KERNEL_INLINE void AddSquare(uint8x16_t codes, int8x16_t x, int32x4_t* sum) {
  asm volatile("usmmla %0.4s, %1.16b, %2.16b"  // NOLINT(hicpp-no-assembler)
               : "+w"(*sum)
               : "w"(codes), "w"(x));
}

}  // namespace headway::kernels::neon::i8mm

#include "kernels/region_end.h"
