#pragma once

// Tables for rows of weights: the values that lose least when every weight is stored as the nearest
// of them. In one dimension the best cells are stretches of the sorted weights, so that the best
// table is a shortest path with a given number of edges, and found exactly. Used by EmitWeight.

#include <cstddef>
#include <span>
#include <vector>

namespace headway::mil {

// A stretch of weights, by its sums over importance w and weight x.
struct Stretch {
  double w = 0, wx = 0, wxx = 0;

  void Add(double importance, double value) {
    w += importance;
    wx += importance * value;
    wxx += importance * value * value;
  }
  void Add(const Stretch& other) {
    w += other.w;
    wx += other.wx;
    wxx += other.wxx;
  }
  double Mean() const { return wx / w; }
};

// The partition of ascending stretches into `cells` runs with the least sum of w (x - mean of the
// run)^2: where each run begins, and the end, cells + 1 numbers. Exact but for rounding in binary64;
// O(n log n) for each of about six tries of a price a run. Requires 1 <= cells <= n, all w > 0.
// Source: Wu 1991 (the cost of a run obeys the quadrangle inequality, so that the least cost is
// convex in the number of runs); Aggarwal, Schieber, Tokuyama 1994 (runs between two prices).
std::vector<size_t> BestRuns(std::span<const Stretch> stretches, size_t cells);

// A table of 2^bits fp16 values for `values`, ascending: the best one for the values grouped into
// at most max(1024, 16 * 2^bits) stretches, the rest of the way by Lloyd's iteration. The root of
// its loss is within twice the root of the loss inside the stretches of the best possible.
std::vector<float> FitTable(std::span<const float> values, int bits);

}  // namespace headway::mil
