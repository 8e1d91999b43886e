#pragma once

// What the rows that a search has not found weigh at most in a softmax, and what it would take to
// know that better. Used by Search.

#include <cstdint>

#include "base/thread_pool.h"
#include "lmhead/candidates.h"
#include "lmhead/scores.h"
#include "sampling/softmax_mass.h"

namespace headway::lmhead {

// Which rows to refine so that the mass of the rest is known well enough.
struct MassPlan {
  bool is_promising = false;  // else it would hardly be known well enough after three bits
  float from = 0.0F;          // refine rows whose bound reaches this
  double rows = 0.0;          // about how many those are
};

class RestMass {
 public:
  explicit RestMass(ThreadPool* pool) : pool_(pool) {}

  // An upper bound of the mass (sampling::SoftmaxMass, at the distance from `best`) of all rows
  // that may be chosen and that are not among the candidates, of each whose bounds hold. The scores
  // are logits. `best`: at least the largest value.
  double Sum(const Scores& scores, const Candidates& candidates, float best) noexcept;

  // From a sample: how to get that bound below `room`. Decides about speed alone.
  MassPlan Plan(const Scores& scores, const Candidates& candidates, float best, double room) const;

 private:
  ThreadPool* const pool_;
  ChunkQueue queue_;
  sampling::SoftmaxMass mass_;
};

}  // namespace headway::lmhead
