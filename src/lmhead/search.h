#pragma once

// Finds, among all rows of a head, those that can matter for a token, and their exact logits, from
// the planes: screens every row, evaluates the best exactly, discards what lies below with
// certainty (or with failure probability delta), refines the rest, and gives up in time where the
// full head would be cheaper. Knows neither models nor files; the exact rows come from outside.

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/candidates.h"
#include "lmhead/planes.h"
#include "lmhead/refinement.h"
#include "lmhead/rest_mass.h"
#include "lmhead/scores.h"
#include "lmhead/screening.h"

namespace headway::lmhead {

// What one search did: the certificate's evidence.
struct SearchEvidence {
  bool decided = false;  // false: the caller must run the full head
  bool few = false;      // of a goal that counts: no more rows than that can reach its value
  float theta = 0.0F;    // no discarded row can have reached this value
  uint64_t rows_screened = 0;
  uint64_t rows_refined = 0;     // bounded by two bits
  uint64_t rows_three_bits = 0;  // of them, bounded by three
  uint64_t rows_exact = 0;       // asked for; a strip computes its neighbours, too
  uint64_t strips_exact = 0;
  uint64_t bytes_read = 0;
};

struct SearchOptions {
  CertificateMode certificate;  // of states for which Screen() is told no other
  uint64_t noise_key = 0;       // fresh; with the count of states it keys the rounding noise
  DeviceSigns* device_or_null = nullptr;  // multiplies the signs; must outlive the search
  RowRange rows = {};                     // to search among; empty: all
  float soft_cap = 0.0F;                  // of the logits, as exact rows have it; 0: none
};

// True when evaluating that many rows, whose strips have `strip_bytes`, is cheaper than screening a
// head of `full_bytes`.
bool AreFew(int64_t num_rows, int64_t strip_bytes, int64_t full_bytes);

class Search {
 public:
  // Holds up to `max_states` states. Everything must outlive the search. Allocates all that
  // Screen() and Decide() need.
  Search(const Planes* planes, ExactRows* exact, const kernels::KernelSet& kernels,
         ThreadPool* pool, int64_t max_states, const SearchOptions& options);

  // Bounds all rows for states [demands, D]: what the full head multiplies.
  void Screen(const float* hidden, std::span<const ScreenDemand> demands) noexcept {
    screening_.Run(hidden, demands);
  }
  // The same demand for all states.
  void Screen(const float* hidden, int64_t num_states, int64_t num_winners) noexcept;

  // Decides for state `state` of the last Screen(). The candidates hold every row that the goal
  // asks for, up to the certificate; valid until the next call.
  SearchEvidence Decide(int64_t state, const SearchGoal& goal) noexcept;

  // Reads further bits of rows that the last Decide(), of logits, has not found, until the mass of
  // all of them is likely to be below `room`; not `decided` where that is not to be had, or not for
  // less than its goal may cost. MassOfRest() tells what came of it. `best`: the largest value.
  SearchEvidence BoundRest(float best, double room) noexcept;
  // At most that much do the rows weigh that it has not found and that may be chosen, in units of
  // sampling::SoftmaxMass: those whose bounds hold.
  double MassOfRest(float best) noexcept { return rest_mass_.Sum(scores_, candidates_, best); }

  // Instead of both: evaluates `rows` (ascending) exactly and nothing else.
  SearchEvidence Evaluate(int64_t state, std::span<const int32_t> rows) noexcept;

  // Ids ascending, exact logits.
  std::span<const Candidate> Found() const { return candidates_.Rows(); }

  // Bytes that a pass over all rows reads.
  int64_t ScreenBytes() const { return screening_.Bytes(); }

  // True when evaluating that many rows is cheaper than screening.
  bool IsFew(int64_t num_rows) const {
    return AreFew(num_rows, exact_->StripBytes(), exact_->FullBytes());
  }

 private:
  SearchEvidence MakeEvidence(bool decided);
  uint64_t RefinedBytes(const SearchEvidence& evidence) const;
  void EvaluateBestStrips();
  void ListStrips();
  bool RefineStrips();
  void RefineSlice(std::span<const int32_t> strips);
  bool FewReach() const;
  void EvaluateAlive();
  float Threshold() const;
  double CostOf(double rows) const;
  double CostOf(const RowsLeft& left) const;

  const Planes* const planes_;
  ExactRows* const exact_;
  const SearchOptions options_;
  Screening screening_;
  Scores scores_;
  Candidates candidates_;
  Refinement refinement_;
  RestMass rest_mass_;

  // Of the search in progress.
  const SearchGoal* goal_ = nullptr;
  ScreenedState* screened_ = nullptr;
  std::vector<int32_t> order_;      // scratch
  std::vector<int32_t> promising_;  // strips left that are refined first, ascending
  std::vector<int32_t> others_;     // and all others
  std::vector<float> estimates_;    // scratch
  std::vector<int32_t> wanted_;     // scratch
  const size_t batch_;              // rows computed exactly before the threshold is looked at again
};

}  // namespace headway::lmhead
