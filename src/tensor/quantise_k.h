#pragma once

// Encoders of the K blocks (256 elements with quantised sub-block scales), used by
// tensor/quantise.cc.

#include "tensor/blocks.h"
#include "tensor/half.h"

namespace headway {

// To binary16 with overflow (and NaN) clamped to the largest finite number: an infinite scale would
// turn every zero of its block into NaN.
inline F16 FiniteF16(float value) {
  constexpr float kLargest = 65504.0F;
  const float above = value > -kLargest ? value : -kLargest;
  return ToF16(above < kLargest ? above : kLargest);
}

// x: [256] f32, finite
void EncodeBlock(const float* x, BlockQ4_K& block);
void EncodeBlock(const float* x, BlockQ5_K& block);
void EncodeBlock(const float* x, BlockQ6_K& block);
void EncodeBlock(const float* x, BlockQ2_K& block);
void EncodeBlock(const float* x, BlockQ3_K& block);

}  // namespace headway
