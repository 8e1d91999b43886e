#pragma once

// The project's order of summation (docs/arithmetic.md, "Sums over a vector"): sixteen partial sums
// by index mod 16, then a tree.

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace headway::kernels::reference {

class LaneSum {
 public:
  void Add(int64_t index, float value) { partial_[Lane(index)] += value; }
  void AddProduct(int64_t index, float a, float b) {
    float& partial = partial_[Lane(index)];
    partial = std::fmaf(a, b, partial);
  }
  float Total() const {
    float s[16];
    for (size_t i = 0; i < 16; ++i) s[i] = partial_[i];
    for (size_t width = 8; width > 0; width /= 2) {
      for (size_t i = 0; i < width; ++i) s[i] += s[i + width];
    }
    return s[0];
  }

 private:
  static size_t Lane(int64_t index) { return static_cast<size_t>(index % 16); }

  float partial_[16] = {};
};

}  // namespace headway::kernels::reference
