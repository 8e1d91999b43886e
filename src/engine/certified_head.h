#pragma once

// The certified LM head: the full head's token from one bit a weight for all rows, and exact logits
// for the few that matter (engine/certified_search.h), with a certificate for each. Falls back to
// the full head where that is cheaper or where a request needs every logit. A reduced head is one
// that computes the rows used most before it looks at any other.

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/certified_search.h"
#include "engine/full_head.h"
#include "engine/head.h"
#include "engine/pipeline.h"
#include "kernels/kernel_set.h"
#include "sampling/sampler.h"

namespace headway {

class CertifiedHead final : public Head {
 public:
  // `pipeline` holds a certified head; it and `pool` must outlive this object. `full` is of the same
  // pipeline. Errors: kIo (no randomness from the system), kUnsupported.
  static Result<std::unique_ptr<CertifiedHead>> Create(Pipeline* pipeline, ThreadPool* pool,
                                                       const kernels::KernelSet& kernels,
                                                       std::unique_ptr<FullHead> full);

  // As many as a screen takes, of those that need one.
  int64_t SharedStates(std::span<const HeadState> states) override;
  // For more states than a screen takes the full head runs; likewise, for the rows it allows, under
  // a grammar that allows few; and for good, once too many choices of a conversation fell back.
  void Begin(const HeadStep& step, Counters* counters) override;
  Result<void> CheckState(int64_t state) const override;
  bool IsUsable(int64_t state) const override;
  Result<sampling::Sampler::Choice> Choose(int64_t state, std::span<const int32_t> history,
                                           Counters* counters) override;
  Result<std::span<float>> Logits(const float* hidden, int64_t num_states, int64_t first_position,
                                  Counters* counters) override {
    return full_->Logits(hidden, num_states, first_position, counters);
  }
  bool HasLogits() const override { return full_->HasLogits(); }
  const Certificate* LastCertificate() const override { return &certificate_; }
  int64_t MaxStates() const override { return full_->MaxStates(); }

 private:
  CertifiedHead(Pipeline* pipeline, const kernels::KernelSet& kernels,
                std::unique_ptr<FullHead> full, std::unique_ptr<CertifiedSearch> search);

  const HeadState& At(int64_t state) const { return step_.states[static_cast<size_t>(state)]; }
  bool AllowsFew(std::span<const HeadState> states) const;
  void Count(const lmhead::SearchEvidence& evidence, Counters* counters);
  Result<sampling::Sampler::Choice> RunFull(int64_t state, std::span<const int32_t> history,
                                            Counters* counters);
  Result<sampling::Sampler::Choice> ChooseFully(int64_t state, std::span<const int32_t> history,
                                                Counters* counters);
  Result<void> Audit(int64_t state, std::span<const int32_t> history,
                     const sampling::Sampler::Choice& choice);

  Pipeline* const pipeline_;
  const kernels::KernelSet kernels_;
  const std::unique_ptr<FullHead> full_;
  const std::unique_ptr<CertifiedSearch> search_;
  HeadStep step_;
  bool full_pass_ = false;  // the full head has the step
  bool switched_ = false;   // because its conversation has switched to it
  Result<void> searched_;   // whether the device did what the search's Begin() asked
  Certificate certificate_;
  Counters uncounted_;
};

}  // namespace headway
