#pragma once

// The certified choice by a conversation's rules: says what a search over the planes must find for
// them (lmhead/search.h), and chooses from the rows found. Where it gives none, the full head must
// choose.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/head_rows.h"
#include "kernels/kernel_set.h"
#include "lmhead/row_search.h"
#include "lmhead/search.h"
#include "sampling/sampler.h"
#include "sampling/sparse_sampler.h"

namespace headway {

class CertifiedSearch {
 public:
  using Choice = sampling::Sampler::Choice;

  // What one search did, and what came of it.
  struct Outcome {
    std::optional<Choice> choice;
    lmhead::SearchEvidence evidence;
    uint64_t reduce_ns = 0;  // of the time it took: selection
    // With filters: the choice was the best perturbed value of all rows, or the filters drop that.
    bool kept_winner = false;
    bool dropped_winner = false;
  };

  // For up to `max_states` states. `pipeline` holds planes; it and `pool` must outlive this object.
  // Errors: kIo (no randomness from the system).
  static Result<std::unique_ptr<CertifiedSearch>> Create(Pipeline* pipeline, ThreadPool* pool,
                                                         const kernels::KernelSet& kernels,
                                                         int64_t max_states);
  CertifiedSearch(const CertifiedSearch&) = delete;  // its parts point at each other
  CertifiedSearch& operator=(const CertifiedSearch&) = delete;

  int64_t MaxStates() const { return search_->MaxStates(); }
  // Whether these states of a conversation need a screen of all rows. Otherwise their sampler allows
  // so few rows that each is computed exactly.
  bool NeedsScreen(std::span<const HeadState> states) const;

  // Computes what the choices of a pass have in common: a screen when its first state needs one.
  // Errors: those of LoadedShard::Run().
  Result<void> Begin(const HeadStep& step, Counters* counters);

  // Searches for state `state` of the pass, whose goal is possible.
  Outcome Choose(int64_t state, std::span<const int32_t> history);

  // Bytes of the screen that Begin() has counted: part of every state's evidence.
  uint64_t SharedBytes() const;
  // Whether some rows were computed first.
  bool HasFirstRows() const { return first_.Exist(); }

 private:
  CertifiedSearch(Pipeline* pipeline, const kernels::KernelSet& kernels,
                  std::unique_ptr<lmhead::RowSearch> search);

  const HeadState& At(int64_t state) const { return step_.states[static_cast<size_t>(state)]; }
  std::optional<Choice> Find(int64_t state, Outcome* outcome);
  std::optional<Choice> FindWinnerFirst(int64_t state, const lmhead::SearchGoal& goal,
                                        Outcome* outcome);
  std::optional<Choice> FindInBest(int64_t state, const Choice& winner, lmhead::SearchGoal goal,
                                   Outcome* outcome);
  std::optional<Choice> FindInNucleus(int64_t state, const Choice& winner, lmhead::SearchGoal goal,
                                      Outcome* outcome);
  void RememberFound(lmhead::SearchGoal* goal);
  std::optional<lmhead::SearchGoal> GoalOf(int64_t state) const;
  bool Decide(int64_t state, const lmhead::SearchGoal& goal, lmhead::SearchEvidence* evidence);
  template <typename Chooser>
  auto ChooseAmongFound(int64_t state, Outcome* outcome, const Chooser& choose)
      -> std::optional<decltype(choose())>;
  bool Fill(int64_t state, std::span<const lmhead::Candidate> candidates);

  const kernels::KernelSet kernels_;
  ReducedRows first_;
  const std::unique_ptr<lmhead::RowSearch> search_;
  HeadStep step_;
  bool screened_ = false;  // else the allowed rows are few, and computed exactly
  std::vector<sampling::SparseSampler::Entry> entries_;
  // Rows that earlier searches of the state have computed, and the same as a goal wants them.
  std::vector<lmhead::Candidate> remembered_;
  std::vector<int32_t> remembered_ids_;
  std::vector<float> remembered_logits_;
};

}  // namespace headway
