#pragma once

// The certified LM head: the full head's token from one bit a weight for all rows, and exact logits
// for the few that matter (lmhead/search.h). Falls back to the full head where that is cheaper or
// where a request needs every logit. A reduced head is one that computes the rows used most before
// it looks at any other.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "lmhead/search.h"
#include "runtime/full_head.h"
#include "runtime/head.h"
#include "runtime/pipeline.h"
#include "sampling/sampler.h"
#include "sampling/sparse_sampler.h"

namespace headway {

struct CertifiedOptions {
  lmhead::CertificateMode mode;
  int64_t audit_every = 0;  // run the full head, too, on every n-th choice; 0: never
};

class CertifiedHead final : public Head {
 public:
  // `pipeline` holds a certified head; it, `sampler` and `pool` must outlive this object. `full`
  // has the same pipeline and sampler. Errors: kIo (no randomness from the system), kUnsupported.
  static Result<std::unique_ptr<CertifiedHead>> Create(Pipeline* pipeline, ThreadPool* pool,
                                                       const kernels::KernelSet& kernels,
                                                       std::unique_ptr<FullHead> full,
                                                       sampling::Sampler* sampler,
                                                       const CertifiedOptions& options);
  ~CertifiedHead() override;

  // For more states than a screen takes the full head runs; likewise, for the rows it allows, under
  // a grammar that allows few.
  Result<void> Begin(const HeadStep& step, Counters* counters) override;
  bool IsUsable(int64_t state) const override;
  Result<sampling::Sampler::Choice> Choose(int64_t state, std::span<const int32_t> history,
                                           Counters* counters) override;
  Result<std::span<float>> Logits(const HeadStep& step, Counters* counters) override {
    return full_->Logits(step, counters);
  }
  bool HasLogits() const override { return full_->HasLogits(); }
  const Certificate* LastCertificate() const override { return &certificate_; }
  int64_t MaxStates() const override { return full_->MaxStates(); }
  int64_t ScratchBytes() const override;

 private:
  class Rows;
  class Signs;

  CertifiedHead(Pipeline* pipeline, const kernels::KernelSet& kernels,
                std::unique_ptr<FullHead> full, sampling::Sampler* sampler,
                const CertifiedOptions& options);

  void ComputeFirstRows(const HeadStep& step, Counters* counters);
  void Screen(const HeadStep& step, Counters* counters);
  Result<sampling::Sampler::Choice> RunFull(int64_t state, std::span<const int32_t> history,
                                            Counters* counters);
  Result<sampling::Sampler::Choice> ChooseFully(int64_t state, std::span<const int32_t> history,
                                                Counters* counters);
  Result<void> Audit(int64_t state, std::span<const int32_t> history,
                     const sampling::Sampler::Choice& choice);
  std::optional<lmhead::SearchGoal> GoalOf(int64_t state, uint64_t position) const;
  std::optional<sampling::Sampler::Choice> Search(int64_t state, uint64_t position,
                                                  lmhead::SearchEvidence* evidence);
  std::optional<sampling::Sampler::Choice> SearchWinnerFirst(int64_t state, lmhead::SearchGoal goal,
                                                             lmhead::SearchEvidence* evidence,
                                                             bool* decided);
  template <typename Chooser>
  auto ChooseAmongFound(int64_t state, const Chooser& choose) -> std::optional<decltype(choose())>;
  void AddEvidence(const lmhead::SearchEvidence& more, lmhead::SearchEvidence* evidence) const;
  bool Fill(int64_t state, std::span<const lmhead::Candidate> candidates);

  // One hidden state of a step.
  struct State {
    std::unique_ptr<ShardState> shard_state;
    AlignedBuffer scratch;
    ProductInput input;
  };

  Pipeline* const pipeline_;
  const kernels::KernelSet kernels_;
  const std::unique_ptr<FullHead> full_;
  const CertifiedOptions options_;
  sampling::SparseGoal goal_;
  sampling::SparseSampler sparse_;
  std::vector<State> states_;
  std::unique_ptr<Rows> rows_;
  std::unique_ptr<Signs> signs_;  // null: the host multiplies them
  std::unique_ptr<lmhead::Search> search_;
  AlignedBuffer multiplied_;                 // [max_states, D]: what the rows are multiplied with
  std::unique_ptr<ShardState> first_state_;  // reduced heads; else null
  AlignedBuffer first_logits_;               // [max_states, K], of the rows computed first
  std::vector<sampling::SparseSampler::Entry> entries_;
  std::vector<int32_t> winner_ids_;  // rows of the search for the winner, and their logits
  std::vector<float> winner_logits_;
  HeadStep step_;
  bool full_pass_ = false;  // the full head has the step
  bool screened_ = false;
  uint64_t reduce_ns_ = 0;  // selection's part of the search in progress
  uint64_t num_choices_ = 0;
  Certificate certificate_;
  Counters uncounted_;
};

}  // namespace headway
