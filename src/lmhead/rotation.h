#pragma once

// One rotation block: a Haar-random orthogonal matrix and the 16-bit matrix that stands for it when
// tokens are decoded. Used by the builder and by tests.

#include <cstdint>
#include <vector>

#include "lmhead/random_bits.h"
#include "tensor/half.h"

namespace headway::lmhead {

struct Rotation {
  int64_t n = 0;
  std::vector<double> exact;  // R: [n, n], rows contiguous
  std::vector<F16> stored;    // R rounded: [n, Stride(n)], padded with zeros
  // At least the spectral norm of (stored - exact).
  double defect = 0.0;

  static int64_t Stride(int64_t n) { return (n + 31) / 32 * 32; }
};

// QR of a Gaussian matrix by Householder reflections, columns' signs fixed by R's diagonal
// (Mezzadri, "How to generate random matrices from the classical compact groups", 2007). In double
// precision: orthogonal to about 1e-14 * n.
Rotation DrawRotation(int64_t n, RandomBits* bits);

}  // namespace headway::lmhead
