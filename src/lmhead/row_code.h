#pragma once

// Quantises one rotated block of one row: signs, two further bits, a scale, and what the bound must
// know of the error. A function of the rotated block and of constants alone: that is what makes the
// error of an estimate random given the row (docs/certified_head.md, "Conditions").

#include <cstdint>

#include "tensor/half.h"

namespace headway::lmhead {

// The step of the eight levels over the scale of the signs. For normal values the scale is
// sqrt(pi/2) sigma, and the step with the smallest error whose reconstruction is unbiased (a.w =
// |w|^2) 0.6088 sigma.
inline constexpr double kRefineRatio = 0.48575;

// Relative errors of a.w = |w|^2 that every token's radius allows for; what exceeds them is charged
// to the row.
inline constexpr double kSignScaleTolerance = 0x1p-11;    // of a 16-bit scale
inline constexpr double kRefineScaleTolerance = 0x1p-14;  // of the tuned codes

struct BlockCode {
  F16 scale{0};  // times 2^exponent
  // e / (scale sqrt(n)): the part of the reconstruction orthogonal to the row.
  double sign_gamma = 0.0;
  double refine_gamma = 0.0;
  // Certain errors over scale sqrt(n) |h|, from inexact scales beyond the tolerances.
  double sign_excess = 0.0;
  double refine_excess = 0.0;
};

struct BlockInput {
  const double* rotated = nullptr;  // w' of the block, [n]
  int64_t n = 0;
  int exponent = 0;  // of all scales of the matrix
};

// Writes sign (1: positive) and code (0..3) of every channel, [n] each.
BlockCode EncodeBlock(const BlockInput& input, uint8_t* signs, uint8_t* codes);

// The smallest F16 that is not below `value` (65504 at most).
F16 RoundUpToF16(double value);

}  // namespace headway::lmhead
