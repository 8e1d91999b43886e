#pragma once

// The certified LM head: the full head's token from one bit a weight for all rows, and exact logits
// for the few that matter (lmhead/search.h). Falls back to the full head where that is cheaper or
// where a request needs every logit.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "headway/certificate.h"
#include "headway/counters.h"
#include "kernels/kernel_set.h"
#include "lmhead/search.h"
#include "runtime/full_head.h"
#include "runtime/pipeline.h"
#include "sampling/sampler.h"
#include "sampling/sparse_sampler.h"

namespace headway {

struct CertifiedOptions {
  lmhead::CertificateMode mode;
  int64_t audit_every = 0;  // run the full head, too, on every n-th choice; 0: never
};

class CertifiedHead {
 public:
  // `pipeline` holds a certified head; it, `full`, `sampler` and `pool` must outlive this object.
  // `max_states`: of one step. Errors: kIo (no randomness from the system), kUnsupported.
  static Result<std::unique_ptr<CertifiedHead>> Create(Pipeline* pipeline, ThreadPool* pool,
                                                       const kernels::KernelSet& kernels,
                                                       FullHead* full, sampling::Sampler* sampler,
                                                       const CertifiedOptions& options,
                                                       int64_t max_states);
  ~CertifiedHead();

  // Looks at `num_states` hidden states before the norm, [num_states, D], which must stay valid
  // until the last Choose() of the step. `want_logprob`: the choices need log-probabilities.
  void Begin(const float* hidden, int64_t num_states, bool want_logprob, Counters* counters);

  // Chooses from state `state`, as Sampler does from its full row of logits. `scratch` as in
  // StepArgs. Errors: kCorrupt (logits that are not finite), kGateFailed (an audit found a
  // difference, with a report).
  Result<sampling::Sampler::Choice> Choose(int64_t state, uint64_t position,
                                           std::span<const int32_t> history, std::byte* scratch,
                                           Counters* counters);

  // The full head runs in place of this one: the certificate says so.
  void NoteFullPass() { certificate_ = {.fallback = true}; }

  // The evidence of the last Choose().
  const Certificate& LastCertificate() const { return certificate_; }
  int64_t MaxStates() const { return static_cast<int64_t>(states_.size()); }

 private:
  class Rows;

  CertifiedHead(Pipeline* pipeline, const kernels::KernelSet& kernels, FullHead* full,
                sampling::Sampler* sampler, const CertifiedOptions& options);

  Result<sampling::Sampler::Choice> ChooseFully(int64_t state, uint64_t position,
                                                std::span<const int32_t> history,
                                                std::byte* scratch, Counters* counters);
  Result<void> Audit(int64_t state, uint64_t position, std::span<const int32_t> history,
                     std::byte* scratch, const sampling::Sampler::Choice& choice);
  lmhead::SearchEvidence Search(int64_t state, uint64_t position);
  bool Fill(std::span<const lmhead::Candidate> candidates);

  // One hidden state of a step.
  struct State {
    std::unique_ptr<ShardState> shard_state;
    AlignedBuffer scratch;
    ProductInput input;
  };

  Pipeline* const pipeline_;
  const kernels::KernelSet kernels_;
  FullHead* const full_;
  sampling::Sampler* const sampler_;
  const CertifiedOptions options_;
  sampling::SparseGoal goal_;
  sampling::SparseSampler sparse_;
  std::vector<State> states_;
  std::unique_ptr<Rows> rows_;
  std::unique_ptr<lmhead::Search> search_;
  AlignedBuffer multiplied_;  // [max_states, D]: what the rows are multiplied with
  std::vector<sampling::SparseSampler::Entry> entries_;
  const float* hidden_ = nullptr;
  bool want_logprob_ = false;
  bool screened_ = false;
  uint64_t num_choices_ = 0;
  Certificate certificate_;
  Counters uncounted_;
};

}  // namespace headway
