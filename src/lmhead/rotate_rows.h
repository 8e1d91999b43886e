#pragma once

// Rotates many rows in double precision, for packing: 2.4e11 multiplications for Phi-4-mini's head.

#include <cstdint>
#include <vector>

namespace headway::lmhead {

// A rotation's matrix in panels of 16 rows, channels outside: what the product reads as one stream.
class RotationPanels {
 public:
  static constexpr int64_t kWidth = 16;

  // `exact`: [n, n], rows contiguous.
  RotationPanels(const std::vector<double>& exact, int64_t n);

  // out[r, j] = sum_c R[j, c] w[r, c] for r in [0, num_rows); rows of w and out are n doubles apart
  // in w, PaddedSize() in out. Sums in ascending order of c.
  void Rotate(const double* w, int64_t num_rows, double* out) const;

  int64_t Size() const { return n_; }
  int64_t PaddedSize() const { return (n_ + kWidth - 1) / kWidth * kWidth; }

 private:
  int64_t n_;
  std::vector<double> panels_;  // [PaddedSize() / 16][n][16]
};

}  // namespace headway::lmhead
