#pragma once

// What a search looks for.

#include <cstdint>
#include <functional>
#include <span>

namespace headway::lmhead {

// Every row whose value can be among the `keep` largest, or within `margin` of the largest. The
// value of a row is its logit, or its perturbed logit (docs/arithmetic.md, "Selection").
struct SearchGoal {
  int64_t keep = 1;
  float margin = 0.0F;
  bool perturbed = false;
  float inverse_temperature = 1.0F;
  uint64_t seed = 0;
  uint64_t position = 0;
  // Rows whose logit is changed before the comparison: always evaluated. Ascending.
  std::span<const int32_t> changed = {};
  // The changed logit of such a row.
  std::function<float(int32_t id, float logit)> change = nullptr;
  // Rows that may win, ascending; empty: all.
  std::span<const int32_t> allowed = {};
};

}  // namespace headway::lmhead
