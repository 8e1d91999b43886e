#pragma once

// The second stage of a search: bounds rows by two bits, those left by three, and keeps those that
// may still matter. Used by Search.

#include <cstdint>
#include <span>
#include <vector>

#include "base/stretch_queue.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/candidates.h"
#include "lmhead/planes.h"
#include "lmhead/scores.h"
#include "lmhead/screening.h"

namespace headway::lmhead {

// A row that refinement has left: value of its estimate, bound of its value.
struct AliveRow {
  int32_t row;
  float estimate;
  float bound;
};

class Refinement {
 public:
  // Everything must outlive this object.
  Refinement(const Planes* planes, const kernels::KernelSet& kernels, ThreadPool* pool,
             LogitCap cap);

  // Forgets all rows. The arguments stay valid until the next Begin().
  void Begin(ScreenedState* screened, const Scores* scores, const Candidates* candidates);

  // Refines the rows of `strips` (ascending: dense ones stream, no strip twice) whose bound reaches
  // `threshold` and that are not known exactly; a row that two bits exclude is not read further.
  // The screened state takes the smaller bounds, for later searches.
  void Refine(std::span<const int32_t> strips, float threshold);

  // Forgets rows that are known exactly or stay below `threshold`.
  void Drop(float threshold);

  // What is left, the best `count` estimates first in order.
  std::span<const AliveRow> Best(size_t count);
  size_t NumAlive() const { return alive_.size(); }
  // Rows bounded by two bits since Begin(), and those of them bounded by three.
  uint64_t NumTwoBits() const { return num_two_bits_; }
  uint64_t NumThreeBits() const { return num_three_bits_; }

 private:
  // One thread's lists.
  struct Worker {
    std::vector<int32_t> rows;
    int64_t num_rows = 0;
    std::vector<float> estimates;
    std::vector<float> uppers;
    std::vector<float> smallest;  // of a row's bounds so far
    std::vector<AliveRow> alive;
    uint64_t two_bits = 0;
    uint64_t three_bits = 0;
  };

  void ListStrip(int64_t strip, float threshold, Worker* worker) const;
  void RefineRows(float threshold, Worker* worker) const;
  void Narrow(const RefineTerms& terms, const std::byte* third_bits_or_null, float threshold,
              Worker* worker) const;

  const Planes* const planes_;
  const kernels::KernelSet kernels_;
  ThreadPool* const pool_;
  const LogitCap cap_;
  StretchQueue queue_;
  ScreenedState* screened_ = nullptr;
  const Scores* scores_ = nullptr;
  const Candidates* candidates_ = nullptr;
  std::vector<Worker> workers_;
  std::vector<AliveRow> alive_;
  uint64_t num_two_bits_ = 0;
  uint64_t num_three_bits_ = 0;
};

}  // namespace headway::lmhead
