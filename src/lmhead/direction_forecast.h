#pragma once

// What a number of common directions would make a token read. Used by FindDirections().

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/plane_layout.h"

namespace headway::lmhead {

inline constexpr auto kMostDirections = static_cast<size_t>(kernels::kMaxDirections);

// Directions with channels outside, so that a vector's products with all of them are one stream:
// [D, kMostDirections].
using DirectionBasis = std::vector<float>;
using DirectionProducts = std::array<float, kMostDirections>;
DirectionProducts ProductsWith(const DirectionBasis& basis, const float* x, int64_t num_channels);

class DirectionForecast {
 public:
  struct Inputs {
    int64_t num_rows = 0;  // of the head
    int64_t num_channels = 0;
    double row_bytes = 0.0;              // as the full head streams it
    std::span<const float> rows;         // [count, D]: some of them
    std::span<const float> states;       // [T, D]
    std::span<const float> best_logits;  // [T]
  };
  // Looks at 2,048 of the rows at most; keeps nothing of its arguments.
  DirectionForecast(const Inputs& inputs, const DirectionBasis& basis);

  // What a token reads with the first k directions, about, in bytes of a stream: the signs of all
  // rows, further bits of those that reach the best logit, exact rows; beyond the signs never more
  // than the whole head.
  double Bytes(size_t k) const;

 private:
  // Norms of what is left after 0, 1, ... directions.
  using Parts = std::array<double, kMostDirections + 1>;

  Parts PartsOf(const DirectionBasis& basis, const float* x) const;
  // Of the rows, with k directions, after one bit, two and three.
  std::array<double, 3> SharesLeft(size_t k, size_t state) const;

  double num_rows_;
  int64_t channels_;
  double row_bytes_;
  std::vector<Parts> states_;
  std::vector<float> best_;
  std::vector<Parts> rows_;
  std::vector<float> logits_;  // [rows, states]
};

}  // namespace headway::lmhead
