#pragma once

// The rows of a head that can matter for a choice, whoever finds them: one search over all rows, or
// searches in several processes, each over its own (docs/distributed.md). Who chooses from the rows
// does not know which. See lmhead/search.h for what a search does.

#include <cstdint>
#include <span>

#include "base/result.h"
#include "lmhead/candidates.h"
#include "lmhead/screening.h"
#include "lmhead/search.h"

namespace headway::lmhead {

class RowSearch {
 public:
  virtual ~RowSearch() = default;

  virtual int64_t MaxStates() const = 0;
  // Begins with states [num_states, D], before the head's norm; they stay valid until the next
  // call. `demands`: one a state, or none: then nothing is screened and only Evaluate() may follow.
  // Errors: those of LoadedShard::Run().
  virtual Result<void> Begin(const float* hidden, int64_t num_states,
                             std::span<const ScreenDemand> demands) = 0;
  virtual SearchEvidence Decide(int64_t state, const SearchGoal& goal) noexcept = 0;
  virtual SearchEvidence BoundRest(float best, double room) noexcept = 0;
  // After BoundRest() with that `best`.
  virtual double MassOfRest(float best) noexcept = 0;
  virtual SearchEvidence Evaluate(int64_t state, std::span<const int32_t> rows) noexcept = 0;
  // Of the last call, ids ascending.
  virtual std::span<const Candidate> Found() const = 0;
  // That a screen of all rows reads.
  virtual int64_t ScreenBytes() const = 0;
  virtual bool IsFew(int64_t num_rows) const = 0;
};

}  // namespace headway::lmhead
