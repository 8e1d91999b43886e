#include "device/coreml/half_range.h"

#include <algorithm>
#include <cmath>

namespace headway::coreml {
namespace {

constexpr float kMost = 0x1p14F;  // 65,504 / 4, as a power of two
constexpr float kMostLength = 0x1p5F;
// A factor is a constant of fp16 and must be exact, and so must its inverse.
constexpr float kLeastFactor = 0x1p-14F;
constexpr float kMostFactor = 0x1p14F;

float PowerOfTwo(float most, float largest) {
  return std::clamp(std::exp2(std::floor(std::log2(most / largest))), kLeastFactor, kMostFactor);
}

}  // namespace

bool IsPowerOfTwo(float factor) {
  int exponent = 0;
  return std::frexp(factor, &exponent) == 0.5F;
}

float ScaleFor(float largest) {
  return largest > kMost ? std::min(1.0F, PowerOfTwo(kMost, largest)) : 1.0F;
}

float PrescaleFor(float length) { return length > 0 ? PowerOfTwo(kMostLength, length) : 0.0F; }

}  // namespace headway::coreml
