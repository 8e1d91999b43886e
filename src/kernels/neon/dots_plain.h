#pragma once

// Products of 8-bit codes with the instructions that every 64-bit Arm processor has.

#include "kernels/neon/lanes.h"

namespace headway::kernels::neon::plain {

// Whether AddDots() takes codes of 8 bits as they are stored, with 128 added.
inline constexpr bool kUnsignedCodes = false;
// Whether there is AddSquare().
inline constexpr bool kSquares = false;
// Tokens that pass together: products of four would be spilled.
inline constexpr size_t kMostTokens = 2;

// Each lane of `sum` gets the products of its four codes with word kWord of x. Two products of one
// lane stay below 2^15: 2 * 128 * 127.
template <int kWord>
HW_KERNEL_INLINE void AddDots(int8x16_t codes, int8x16_t x, int32x4_t* sum) {
  const int8x16_t four = vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), kWord));
  const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(four));
  const int16x8_t high = vmull_high_s8(codes, four);
  *sum = vpadalq_s16(*sum, vpaddq_s16(low, high));
  // No instruction: sums stay in the order of memory, or g++ 12 holds every product, and spills.
  asm volatile("" : "+w"(*sum));  // NOLINT(hicpp-no-assembler)
}

// Four lines of four codes each, lane by lane.
HW_KERNEL_INLINE void AddDotsByLane(int8x16_t codes, int8x16_t x, int32x4_t* sum) {
  const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(x));
  const int16x8_t high = vmull_high_s8(codes, x);
  *sum = vpadalq_s16(*sum, vpaddq_s16(low, high));
}

}  // namespace headway::kernels::neon::plain
