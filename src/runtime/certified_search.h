#pragma once

// The certified choice of a sampler: says what a search over the planes must find for it
// (lmhead/search.h), and chooses from the rows found. Where it gives none, the full head must
// choose.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/search.h"
#include "runtime/head_rows.h"
#include "runtime/reduced_rows.h"
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
  };

  // For up to `max_states` states. `pipeline` holds planes; it and `pool` must outlive this object.
  // Errors: kIo (no randomness from the system).
  static Result<std::unique_ptr<CertifiedSearch>> Create(Pipeline* pipeline, ThreadPool* pool,
                                                         const kernels::KernelSet& kernels,
                                                         const sampling::SamplingParams& params,
                                                         const lmhead::CertificateMode& mode,
                                                         int64_t max_states);
  CertifiedSearch(const CertifiedSearch&) = delete;  // its parts point at each other
  CertifiedSearch& operator=(const CertifiedSearch&) = delete;

  int64_t MaxStates() const { return inputs_.MaxStates(); }
  // False: the sampler looks at every row.
  bool IsPossible() const { return goal_.possible; }
  int64_t ScratchBytes() const { return first_.ScratchBytes(); }

  // Computes what the choices of a step have in common.
  void Begin(const HeadStep& step, Counters* counters);

  // Searches for state `state` of the step.
  Outcome Choose(int64_t state, std::span<const int32_t> history);

  // Bytes of the screen that Begin() has counted: part of every state's evidence.
  uint64_t SharedBytes() const;
  // Whether some rows were computed first.
  bool HasFirstRows() const { return first_.Exist(); }

 private:
  CertifiedSearch(Pipeline* pipeline, ThreadPool* pool, const kernels::KernelSet& kernels,
                  const sampling::SamplingParams& params, int64_t max_states,
                  const lmhead::SearchOptions& options);

  std::optional<Choice> Find(int64_t state, uint64_t position, Outcome* outcome);
  std::optional<Choice> FindWinnerFirst(int64_t state, lmhead::SearchGoal goal, Outcome* outcome,
                                        bool* decided);
  std::optional<lmhead::SearchGoal> GoalOf(int64_t state, uint64_t position) const;
  bool Decide(int64_t state, const lmhead::SearchGoal& goal, lmhead::SearchEvidence* evidence);
  template <typename Chooser>
  auto ChooseAmongFound(int64_t state, Outcome* outcome, const Chooser& choose)
      -> std::optional<decltype(choose())>;
  bool Fill(int64_t state, std::span<const lmhead::Candidate> candidates);

  const kernels::KernelSet kernels_;
  sampling::SparseSampler sparse_;
  sampling::SparseGoal goal_;
  ReducedRows first_;
  ProductInputs inputs_;
  HeadRows rows_;
  HeadSigns signs_;
  lmhead::Search search_;
  HeadStep step_;
  bool screened_ = false;  // else the allowed rows are few, and computed exactly
  std::vector<sampling::SparseSampler::Entry> entries_;
  std::vector<int32_t> winner_ids_;  // rows of the search for the winner, and their logits
  std::vector<float> winner_logits_;
};

}  // namespace headway
