#pragma once

// What the full head's kernel adds up for a row: for types with a minimum, products of codes and
// minima that may be larger than the row itself, and round accordingly.

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor_view.h"

namespace headway::lmhead {

class KernelMagnitude {
 public:
  KernelMagnitude(DataType type, int64_t num_channels);

  // Norm over the channels [begin, begin + size) of |w + m| + |m| by block of 32, where m is the
  // minimum and w the row (`values`, dequantised from `row`); the norm of w itself for types
  // without minimum.
  void SetRow(const std::byte* row, std::span<const float> values);
  double Norm(int64_t begin, int64_t size) const;

 private:
  DataType type_;
  bool has_minimum_;
  std::vector<std::byte> codeless_;  // the row with all codes zero
  std::vector<float> minima_;        // [D]
  std::vector<double> squares_;      // [D], or of blocks of 32 spread over their channels
};

}  // namespace headway::lmhead
