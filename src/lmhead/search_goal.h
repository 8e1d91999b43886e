#pragma once

// What a search looks for.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace headway::lmhead {

// Every row whose value can be among the `keep` largest, or within `margin` of the largest, or
// `at_least` as large as that. The value of a row is its logit, or its perturbed logit
// (docs/arithmetic.md, "Selection").
struct SearchGoal {
  int64_t keep = 1;
  float margin = 0.0F;
  // When set, instead of both.
  std::optional<float> at_least = {};
  bool perturbed = false;
  float inverse_temperature = 1.0F;
  uint64_t seed = 0;
  uint64_t position = 0;
  // Rows whose logit is changed before the comparison: always evaluated. Ascending.
  std::span<const int32_t> changed = {};
  // The changed logit of such a row.
  std::function<float(int32_t id, float logit)> change = nullptr;
  // Rows that may win, ascending, and one bit a row; empty: all.
  std::span<const int32_t> allowed = {};
  std::span<const uint64_t> mask = {};
  // Rows whose exact logits are there already, ascending.
  std::span<const int32_t> known_ids = {};
  std::span<const float> known_logits = {};  // finite

  bool Allows(int32_t row) const {
    if (!mask.empty() && (mask[static_cast<size_t>(row) / 64] >> (row % 64) & 1) == 0) return false;
    return allowed.empty() || std::binary_search(allowed.begin(), allowed.end(), row);
  }
};

}  // namespace headway::lmhead
