#pragma once

// Gumbel noise for sampling as argmax: a pure function of (seed, position, id), so that every head,
// batch width and instruction set draws the same token. Integers: Philox-4x32-10 (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011), key = seed, counter = {id / 2, position
// low, position high, id / 2 high}; words 0, 1 serve the even id, 2, 3 the odd.
//
// The value: v = (a + (b + 1/2) 2^-24) 2^-24 from 24 + 24 bits, rounded to binary32 and clamped to
// 1 - 2^-24; then E = -log(1 - v), G = -log(E). Large G come from small v, where the float keeps 24
// significant bits down to 2^-49: the tail is right to G = 33.9. What that costs in exactness:
// docs/arithmetic.md, "Noise".

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/exp.h"

namespace headway::kernels {

inline constexpr uint32_t kPhiloxMultiplier[2] = {0xD2511F53U, 0xCD9E8D57U};
inline constexpr uint32_t kPhiloxWeyl[2] = {0x9E3779B9U, 0xBB67AE85U};
inline constexpr int kPhiloxRounds = 10;
inline constexpr float kLargestUniform = 0x1.fffffep-1F;  // 1 - 2^-24

// The block cipher: ten rounds of two 32 x 32 -> 64 bit products.
inline std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter,
                                      std::array<uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint64_t p0 = uint64_t{kPhiloxMultiplier[0]} * counter[0];
    const uint64_t p1 = uint64_t{kPhiloxMultiplier[1]} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key = {key[0] + kPhiloxWeyl[0], key[1] + kPhiloxWeyl[1]};
  }
  return counter;
}

// Two words of random bits for one id.
inline std::array<uint32_t, 2> NoiseBits(uint64_t seed, uint64_t position, uint64_t id) {
  const uint64_t pair = id / 2;
  const std::array<uint32_t, 4> words =
      Philox({static_cast<uint32_t>(pair), static_cast<uint32_t>(position),
              static_cast<uint32_t>(position >> 32), static_cast<uint32_t>(pair >> 32)},
             {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const size_t first = id % 2 == 0 ? 0 : 2;
  return {words[first], words[first + 1]};
}

// Uniform on (0, 1), fine near 0.
inline float UniformFromBits(std::array<uint32_t, 2> words) {
  const auto a = static_cast<float>(words[0] >> 8);
  const auto b = static_cast<float>(words[1] >> 8);
  return std::min(std::fmaf(a, 0x1p-24F, std::fmaf(b, 0x1p-48F, 0x1p-49F)), kLargestUniform);
}

// -log(-log(1 - v)). 1 - v rounds to `rest`; what the rounding lost is added back to first order,
// so that E keeps its relative precision down to the smallest v.
inline float GumbelFromUniform(float v) {
  const float rest = 1.0F - v;
  const float lost = v - (1.0F - rest);
  const float e = lost - Log(rest);
  return -Log(e);
}

// At least as large as GumbelFromUniform(v), without a logarithm: -log(1 - v) >= v, and the bits of
// a float, read as a number, are its logarithm to base 2 or less (log2(1 + m) >= m), on average by
// 0.06. 1e-4 is for roundings: of the noise 4e-7 times 34 at most (docs/arithmetic.md), of this sum
// of numbers below 128 1e-5.
inline constexpr float kGumbelBoundSlope = -0.693147182F * 0x1p-23F;
inline constexpr float kGumbelBoundOffset = 127 * 0.693147182F + 1e-4F;
inline float GumbelBound(float v) {
  return std::fmaf(static_cast<float>(std::bit_cast<int32_t>(v)), kGumbelBoundSlope,
                   kGumbelBoundOffset);
}

inline float Gumbel(uint64_t seed, uint64_t position, uint64_t id) {
  return GumbelFromUniform(UniformFromBits(NoiseBits(seed, position, id)));
}

}  // namespace headway::kernels
