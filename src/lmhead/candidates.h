#pragma once

// What a search looks for, the rows that it has computed exactly, and the threshold that follows
// from them: no row below it can matter. Used by Search.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"

namespace headway::lmhead {

// The full head's own arithmetic for single rows. They come in strips: what is computed together.
class ExactRows {
 public:
  virtual ~ExactRows() = default;
  // The strip that holds `row`, and how many bytes of weights one strip reads.
  virtual int64_t StripOf(int64_t row) const = 0;
  virtual int64_t StripBytes() const = 0;
  // Of one run of the full head.
  virtual int64_t FullBytes() const = 0;
  // Writes logits[row] of the rows of a strip, bit for bit the full head's, for state `state` of
  // the batch; may write those of neighbours. Called by several threads at once, on different
  // strips and the same logits.
  virtual void Compute(int64_t strip, int64_t state, float* logits) noexcept = 0;
};

struct Candidate {
  int32_t id = 0;
  float logit = 0.0F;
};

// Where other processes search the rest of the rows (docs/distributed.md).
class OtherSearches {
 public:
  virtual ~OtherSearches() = default;
  // The largest of the values that all searches give, once for each goal.
  virtual float Largest(float mine) noexcept = 0;
};

// What a search looks for: every row whose value can be among the `keep` largest (0: any row), or
// within `margin` of the largest; with `at_least`, only those of them that can be that large. The
// value of a row is its logit, or its perturbed logit (docs/arithmetic.md, "Selection").
struct SearchGoal {
  int64_t keep = 1;
  float margin = 0.0F;
  std::optional<float> at_least = {};
  // Where no more than `keep` rows can be at least that large, to know so is enough: not all of
  // them need be computed.
  bool counting = false;
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
  // A search whose rest would cost more than so many full passes gives up. The screen is about a
  // sixth of a full pass: where the forecast holds, screen and rest, or screen and a full pass,
  // stay below 1.25.
  double give_up = 1.0;
  // Null: this search sees all rows.
  OtherSearches* others = nullptr;

  bool Allows(int32_t row) const {
    if (!mask.empty() && (mask[static_cast<size_t>(row) / 64] >> (row % 64) & 1) == 0) return false;
    return allowed.empty() || std::binary_search(allowed.begin(), allowed.end(), row);
  }
};

class Candidates {
 public:
  // Everything must outlive this object.
  Candidates(ExactRows* exact, int64_t num_rows, const kernels::KernelSet& kernels,
             ThreadPool* pool);

  // Forgets all rows but those that the goal knows; it stays valid until the next Begin().
  void Begin(int64_t state, const SearchGoal* goal);

  // Computes `rows` (those that have not been yet), in any order.
  void Evaluate(std::span<const int32_t> rows);

  bool IsExact(int32_t row) const {
    return (exact_bits_[static_cast<size_t>(row) / 64] >> (row % 64) & 1) != 0;
  }

  // What no discarded row may reach; -infinity as long as too few rows are known.
  float Theta() const { return theta_; }

  // How many of the rows are at least as large as the goal asks.
  int64_t NumReaching() const {
    return std::count_if(values_.begin(), values_.end(),
                         [this](float value) { return value >= *goal_->at_least; });
  }

  // Rows elsewhere reach that value, until the next Begin().
  void RaiseTheta(float value) {
    outside_ = std::max(outside_, value);
    theta_ = std::max(theta_, outside_);
  }

  // The rows, by id after Sort().
  std::span<const Candidate> Rows() const { return candidates_; }
  void Sort();

  // Computed since Begin().
  uint64_t NumRows() const { return num_rows_; }
  uint64_t NumStrips() const { return num_strips_; }

 private:
  void EnterKnown();
  float ValueOf(const Candidate& candidate) const;
  void UpdateTheta();

  ExactRows* const exact_;
  const kernels::KernelSet kernels_;
  ThreadPool* const pool_;
  ChunkQueue queue_;
  int64_t state_ = 0;
  const SearchGoal* goal_ = nullptr;
  AlignedBuffer logits_;  // [V], where evaluated
  std::vector<Candidate> candidates_;
  std::vector<float> values_;         // of candidates_
  std::vector<float> sorted_values_;  // scratch
  std::vector<int64_t> strips_;       // scratch
  std::vector<uint64_t> exact_bits_;  // [V / 64]
  uint64_t num_rows_ = 0;
  uint64_t num_strips_ = 0;
  float theta_ = 0.0F;
  float outside_ = 0.0F;  // RaiseTheta()
};

}  // namespace headway::lmhead
