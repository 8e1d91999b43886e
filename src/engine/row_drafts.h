#pragma once

// Drafts of one conversation among others, by prompt lookup: as many as came true lately, and as the
// batch has room for. Unlike the Speculator's, their number does not depend on times, which are the
// whole batch's.

#include <cstdint>
#include <functional>
#include <span>

#include "engine/draft_length.h"
#include "engine/drafter.h"
#include "engine/speculator.h"
#include "headway/speculation_params.h"

namespace headway {

class RowDrafts {
 public:
  // `params` were checked (CheckSpeculation). `is_end`: drafts stop before tokens that end a text;
  // null: none does.
  RowDrafts(int64_t capacity_tokens, const SpeculationParams& params,
            std::function<bool(int32_t)> is_end);

  // At most `room` guesses at what follows `tokens`; valid until the next call.
  std::span<const int32_t> Propose(std::span<const int32_t> tokens, int64_t room);
  // `tokens` goes on with `num_choices` tokens that a step chose from `num_drafts` drafts.
  void Saw(std::span<const int32_t> tokens, int64_t num_drafts, int64_t num_choices);

  // What the sequence does not know: the time that finding drafts took, and drafts by n-gram.
  const SpeculationCounters& Counts() const { return counters_; }

 private:
  GuessedDraft Guess(std::span<const int32_t> tokens, int64_t most);

  const int64_t most_drafts_;
  const bool adapt_;
  const std::function<bool(int32_t)> is_end_;
  LookupDrafter lookup_;
  DraftLength length_;   // its rate of acceptance alone
  GuessedTokens guess_;  // followed for nothing while no draft runs
  int64_t ngram_ = 0;    // of the last proposal; 0: there was none
  SpeculationCounters counters_;
};

}  // namespace headway
