#pragma once

// Quantises one rotated block of one row: signs, second and third bits, a scale, and what the
// bounds must know of the errors. A function of the rotated block and of constants alone: that is
// what makes the error of an estimate random given the row (docs/certified_head.md, "Conditions").

#include <cstdint>

#include "tensor/half.h"

namespace headway::lmhead {

// A weight over the scale of the signs, from its sign s (+1, -1) and two further bits u and v:
//   one bit     s
//   two bits    factor s + step (u - 1/2)
//   three bits  factor s + step (2u + v - 3/2)
// Scales are such that a.w = |w|^2 for every reconstruction a. Two bits: four equal steps, the
// outer ones for the largest weights that hold half of the block's L1 norm (1.18 sigma and more for
// normal values; the best four levels have an error smaller by 3 %). Three bits: eight equal steps;
// for normal values the scale is sqrt(pi/2) sigma, and the step with the smallest error 0.6088
// sigma.
inline constexpr double kTwoBitFactor = 1.0;
inline constexpr double kTwoBitStep = 1.0;
inline constexpr double kThreeBitStep = 0.48575;
inline constexpr double kThreeBitFactor = 2.0 * kThreeBitStep;

constexpr double TwoBitLevel(double s, int u) {
  return kTwoBitFactor * s + kTwoBitStep * (u - 0.5);
}
constexpr double ThreeBitLevel(double s, int u, int v) {
  return kThreeBitFactor * s + kThreeBitStep * (2 * u + v - 1.5);
}

// Relative errors of a.w = |w|^2 that every token's radius allows for; what exceeds them is charged
// to the row.
inline constexpr double kSignScaleTolerance = 0x1p-11;    // of a 16-bit scale
inline constexpr double kRefineScaleTolerance = 0x1p-14;  // of the tuned codes

// What the bound must know of one reconstruction.
struct CodeError {
  // e / (scale sqrt(n)): its part orthogonal to the row.
  double gamma = 0.0;
  // Certain errors over scale sqrt(n) |h|, from inexact products beyond the tolerances.
  double excess = 0.0;
};

struct BlockCode {
  F16 scale{0};  // times 2^exponent
  CodeError one_bit;
  CodeError two_bits;
  CodeError three_bits;
};

struct BlockInput {
  const double* rotated = nullptr;  // w' of the block, [n]
  int64_t n = 0;
  int exponent = 0;  // of all scales of the matrix
};

// Bits of every channel, [n] each.
struct BlockBits {
  uint8_t* signs = nullptr;  // 1: positive
  uint8_t* second = nullptr;
  uint8_t* third = nullptr;
};

BlockCode EncodeBlock(const BlockInput& input, const BlockBits& bits);

// The smallest F16 that is not below `value` (65504 at most).
F16 RoundUpToF16(double value);

}  // namespace headway::lmhead
