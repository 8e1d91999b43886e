#pragma once

// Finds, among all rows of a head, those that can matter for a token, and their exact logits, from
// the planes: screens every row, evaluates the best exactly, discards what lies below with
// certainty (or with failure probability delta), refines the rest, and gives up in time where the
// full head would be cheaper. Knows neither models nor files; the exact rows come from outside.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/planes.h"
#include "lmhead/screening.h"

namespace headway::lmhead {

// The full head's own arithmetic for single rows. Rows come in strips: what is computed together.
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

// What is looked for: every row whose value can be among the `keep` largest, or within `margin` of
// the largest. The value of a row is its logit, or its perturbed logit (docs/arithmetic.md,
// "Selection").
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

// What one search did: the certificate's evidence.
struct SearchEvidence {
  bool decided = false;  // false: the caller must run the full head
  float theta = 0.0F;    // no discarded row can have reached this value
  uint64_t rows_screened = 0;
  uint64_t rows_refined = 0;  // bounded by three bits
  uint64_t rows_exact = 0;    // asked for; a strip computes its neighbours, too
  uint64_t strips_exact = 0;
  uint64_t bytes_read = 0;
  uint64_t planes_read = 0;  // 1: signs; 3: refinement, too
};

struct SearchOptions {
  CertificateMode certificate;
  uint64_t noise_key = 0;  // fresh; with the count of states it keys the rounding noise
};

class Search {
 public:
  // Holds up to `max_states` states. Everything must outlive the search. Allocates what Screen()
  // and Decide() need, but for lists that grow with the rows left.
  Search(const Planes* planes, ExactRows* exact, const kernels::KernelSet& kernels,
         ThreadPool* pool, int64_t max_states, const SearchOptions& options);

  // Bounds all rows for `num_states` states [num_states, D]: what the full head multiplies.
  // `num_winners`: the largest number of rows that a following goal needs (1; k of top-k; 2 for a
  // margin): delta is divided among them.
  void Screen(const float* hidden, int64_t num_states, int64_t num_winners) noexcept;

  // Decides for state `state` of the last Screen(). The candidates hold every row that the goal
  // asks for, up to the certificate; valid until the next call.
  SearchEvidence Decide(int64_t state, const SearchGoal& goal) noexcept;

  // Instead of both: evaluates `rows` (ascending) exactly and nothing else.
  SearchEvidence Evaluate(int64_t state, std::span<const int32_t> rows) noexcept;

  // Ids ascending, exact logits.
  std::span<const Candidate> Candidates() const { return candidates_; }

  // True when evaluating that many rows is cheaper than screening.
  bool IsFew(int64_t num_rows) const;

 private:
  // A row that refinement has left: value of its estimate, bound of its value.
  struct Alive {
    int32_t row;
    float estimate;
    float bound;
  };
  // One thread's lists.
  struct Worker {
    std::vector<int32_t> rows;
    std::vector<float> estimates;
    std::vector<float> uppers;
    std::vector<Alive> alive;
    uint64_t refined = 0;
  };

  void Begin(int64_t state, const SearchGoal* goal);
  void ScoreStrips();
  void ScoreStrip(int64_t strip);
  void EvaluateBestStrips();
  void ListStrips();
  bool RefineStrips();
  void RefineSlice(int64_t begin, int64_t end);
  void RefineRows(Worker* worker);
  void RaiseTheta();
  bool EvaluateAlive();
  void EvaluateRows(std::span<const int32_t> rows);
  void UpdateTheta();
  float ValueOf(const Candidate& candidate) const;
  bool IsExact(int32_t row) const;
  float Threshold() const;
  bool TooDear(double rows, double records) const;
  SearchEvidence Finish(bool decided);

  const Planes* const planes_;
  ExactRows* const exact_;
  const kernels::KernelSet kernels_;
  ThreadPool* const pool_;
  const SearchOptions options_;
  Screening screening_;
  ChunkQueue queue_;

  // Of the search in progress.
  int64_t state_ = 0;
  const SearchGoal* goal_ = nullptr;
  const ScreenedState* screened_ = nullptr;
  const float* scores_ = nullptr;               // [V], upper bounds of values
  bool own_scores_ = false;                     // scores_ is scored_, not the screen's upper bounds
  AlignedBuffer scored_;                        // [V]
  AlignedBuffer logits_;                        // [V], exact where evaluated
  std::vector<kernels::ScreenSummary> strips_;  // values in place of logits
  std::vector<int32_t> order_;                  // strips left, the most promising first
  std::vector<Worker> workers_;
  std::vector<Alive> alive_;
  std::vector<Candidate> candidates_;
  std::vector<float> values_;         // of candidates_
  std::vector<float> sorted_values_;  // scratch
  std::vector<int32_t> wanted_;       // scratch
  std::vector<int64_t> wanted_strips_;
  std::vector<uint64_t> exact_bits_;  // [V / 64]
  float theta_ = 0.0F;
  SearchEvidence evidence_;
};

}  // namespace headway::lmhead
