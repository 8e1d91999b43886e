#pragma once

// The rows of a search that have been computed exactly, and the threshold that follows from them:
// no row below it can matter. Used by Search.

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/exact_rows.h"
#include "lmhead/search_goal.h"

namespace headway::lmhead {

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
  std::span<const int32_t> known_;    // whose bits are set without being in candidates_
  uint64_t num_rows_ = 0;
  uint64_t num_strips_ = 0;
  float theta_ = 0.0F;
};

}  // namespace headway::lmhead
