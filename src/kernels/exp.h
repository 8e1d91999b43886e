#pragma once

// The exponential and the logarithm of docs/arithmetic.md: constants, shared by every instruction
// set, and the scalar form. Polynomials: weighted minimax fits (Remez), coefficients rounded to
// binary32 afterwards.

#include <bit>
#include <cmath>
#include <cstdint>

namespace headway::kernels {

// exp(x) on [kExpMin, kExpMax]: x = n ln2 + r, |r| <= ln2 / 2; exp(r) = 1 + (r + r^2 (c0 + c1 r +
// ... + c4 r^4)), relative error of the polynomial 3.1e-9; together at most 1 ulp (tested against
// double precision).
inline constexpr float kExpMin = -87.33654F;
inline constexpr float kExpMax = 88.72283F;
inline constexpr float kLog2E = 0x1.715476p+0F;
inline constexpr float kLn2Hi = 0x1.62e4p-1F;  // 15 bits: n * kLn2Hi is exact for |n| < 512
inline constexpr float kLn2Lo = 0x1.7f7d1cp-20F;
inline constexpr float kExpPoly[5] = {0x1.fffffcp-2F, 0x1.555492p-3F, 0x1.5558f2p-5F,
                                      0x1.1239e2p-7F, 0x1.6a2468p-10F};

// log(x), x a positive normal number: x = 2^n (1 + f), f in [sqrt(1/2) - 1, sqrt(2) - 1);
// log(1 + f) = f + f^2 (-1/2 + f (c0 + ... + c7 f^7)), relative error of the polynomial 5.9e-9.
inline constexpr float kLogPoly[8] = {0x1.555554p-2F,  -0x1.000228p-2F, 0x1.99a01p-3F,
                                      -0x1.5471fcp-3F, 0x1.22d92ap-3F,  -0x1.0d8744p-3F,
                                      0x1.0563bap-3F,  -0x1.38bff6p-4F};
inline constexpr int32_t kSqrtHalfBits = 0x3f3504f3;  // the largest binary32 below or at sqrt(1/2)

// GELU in its tanh form, x / 2 (1 + tanh(u)), is x / (1 + exp(-2u)) with
// -2u = x (kGeluLinear + kGeluCubic x^2): -2 sqrt(2 / pi), and that times 0.044715. Source:
// Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.
inline constexpr float kGeluLinear = -1.5957691F;
inline constexpr float kGeluCubic = -0.07135481F;

inline float Exp(float x) {
  if (std::isnan(x)) return x;
  if (x < kExpMin) return 0.0F;
  x = x > kExpMax ? kExpMax : x;
  const float n = std::nearbyintf(x * kLog2E);
  float r = std::fmaf(n, -kLn2Hi, x);
  r = std::fmaf(n, -kLn2Lo, r);
  float p = kExpPoly[4];
  for (int i = 3; i >= 0; --i) p = std::fmaf(p, r, kExpPoly[i]);
  p = std::fmaf(p, r * r, r) + 1.0F;
  return std::bit_cast<float>(std::bit_cast<int32_t>(p) + (static_cast<int32_t>(n) << 23));
}

// cap * tanh(x / cap), by tanh(u) = (1 - exp(-2u)) / (1 + exp(-2u)); NaN where x is infinite, so
// that an overflow shows.
inline float SoftCapSlope(float cap) { return -2.0F / cap; }
inline float SoftCap(float x, float cap) {
  const float e = Exp(x * SoftCapSlope(cap));
  return std::fmaf((1.0F - e) / (1.0F + e), cap, x - x);
}
// How far it is from the real function at most, in caps. In 2^-24: 0.9 by slope and exponent, since
// u sech^2(u) is below 0.45; 1 by the last place of exp, since 2 e / (1 + e)^2 is at most 1/2; and 4
// by 1 - e, 1 + e, their quotient and the product.
inline constexpr float kSoftCapError = 6.0F * 0x1p-24F;

inline float Log(float x) {
  const int32_t offset = std::bit_cast<int32_t>(x) - kSqrtHalfBits;
  const auto n = static_cast<float>(offset >> 23);
  const float f = std::bit_cast<float>((offset & 0x007fffff) + kSqrtHalfBits) - 1.0F;
  float p = kLogPoly[7];
  for (int i = 6; i >= 0; --i) p = std::fmaf(p, f, kLogPoly[i]);
  p = std::fmaf(p, f, -0.5F);
  p = std::fmaf(p, f * f, std::fmaf(n, kLn2Lo, f));
  return std::fmaf(n, kLn2Hi, p);
}

}  // namespace headway::kernels
