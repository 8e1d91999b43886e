#pragma once

// What the screen says of the values that a search compares: upper bounds of rows, and of strips of
// 64 rows with their best estimate. Used by Search.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/candidates.h"
#include "lmhead/screening.h"

namespace headway::lmhead {

// What a search expects before it reads: guesses that decide about speed alone, never about a
// token.

// What a byte costs against one of the full head's stream, about: strips are 16 whole rows, records
// are short and lie here and there.
inline constexpr double kStripCost = 1.3;
inline constexpr double kRecordCost = 2.0;

// Radii after one bit, two and three, all constants included, in sigma of the logits at D = 3072.
inline constexpr double kExpectedRadii[3] = {4.9, 2.7, 1.6};

// About how many rows of some strips a threshold leaves.
struct RowsLeft {
  double now = 0.0;             // by the screen
  double after_two_bits = 0.0;  // when refinement has bounded them
  double after_three_bits = 0.0;
};

class Scores {
 public:
  Scores(int64_t num_rows, const kernels::KernelSet& kernels, ThreadPool* pool);

  // Values of a screened state; both stay valid while they are used.
  void Compute(const ScreenedState* screened, const SearchGoal* goal);

  int64_t NumRows() const { return num_rows_; }
  // Upper bounds of the values [V]; -infinity for rows that may not be chosen.
  const float* Upper() const { return upper_; }
  // In terms of values.
  std::span<const kernels::ScreenSummary> Strips() const { return strips_; }

  // About the value of a row with that logit; and an upper bound of the value of a row whose logit
  // is at most `upper`.
  float ValueAt(int32_t row, float logit) const;
  float BoundAt(int32_t row, float upper) const;

  // An upper bound of the logit of a row that may be chosen, else -infinity; the best one that any
  // search of the state has found. The values are logits.
  float LogitBound(int64_t row) const {
    return std::min(upper_[row], screened_->upper.Pointer<float>()[row]);
  }
  // About what it would be after three bits.
  float ForecastBound(int64_t row) const;

  // From a sample of `strips`: how many of their rows reach `threshold`. Decides about speed alone.
  RowsLeft Forecast(std::span<const int32_t> strips, float threshold) const;

 private:
  void ScoreStrip(int64_t strip);

  const int64_t num_rows_;
  const kernels::KernelSet kernels_;
  ThreadPool* const pool_;
  ChunkQueue queue_;
  const ScreenedState* screened_ = nullptr;
  const SearchGoal* goal_ = nullptr;
  const float* upper_ = nullptr;
  AlignedBuffer scored_;                        // [V], where values are not logits
  std::vector<kernels::ScreenSummary> strips_;  // values in place of logits
};

}  // namespace headway::lmhead
