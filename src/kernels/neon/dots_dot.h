#pragma once

// Products of 8-bit codes with the dot products of Armv8.2 (Cortex-A76 and later, Apple M1). In
// assembly: clang declares these intrinsics only when every file is compiled for them, and g++ 12
// reorders theirs until it has to spill: volatile ones stay in the order of memory.

#include "kernels/neon/lanes.h"

// clang-format off
#include "kernels/neon/region_dot_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::neon::dot {

inline constexpr bool kUnsignedCodes = false;
inline constexpr bool kSquares = false;
inline constexpr size_t kMostTokens = 4;

template <int kWord>
HW_KERNEL_INLINE void AddDots(int8x16_t codes, int8x16_t x, int32x4_t* sum) {
  asm volatile("sdot %0.4s, %1.16b, %2.4b[%3]"  // NOLINT(hicpp-no-assembler)
               : "+w"(*sum)
               : "w"(codes), "w"(x), "i"(kWord));
}

HW_KERNEL_INLINE void AddDotsByLane(int8x16_t codes, int8x16_t x, int32x4_t* sum) {
  asm volatile("sdot %0.4s, %1.16b, %2.16b"  // NOLINT(hicpp-no-assembler)
               : "+w"(*sum)
               : "w"(codes), "w"(x));
}

}  // namespace headway::kernels::neon::dot

#include "kernels/region_end.h"
