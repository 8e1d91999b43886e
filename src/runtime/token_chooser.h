#pragma once

// The head of one conversation at work: chooses the tokens of a step from its hidden states, and
// keeps choices and certificates until the next.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "headway/counters.h"
#include "kernels/kernel_set.h"
#include "runtime/certified_head.h"
#include "runtime/head.h"
#include "runtime/pipeline.h"
#include "sampling/sampler.h"

namespace headway {

struct ChooserOptions {
  sampling::SamplingParams sampling;
  bool want_logprobs = false;
  CertifiedOptions certified = {};  // of a certified head
};

class TokenChooser {
 public:
  using Choice = sampling::Sampler::Choice;

  // `pipeline` and `pool` must outlive this object; `options.sampling` passes Validate(). Steps
  // have at most `max_states` states. Errors: those of MakeHead(); kUnsupported, when the head
  // gives best tokens only and the options ask for more.
  static Result<std::unique_ptr<TokenChooser>> Create(Pipeline* pipeline, ThreadPool* pool,
                                                      const kernels::KernelSet& kernels,
                                                      const ChooserOptions& options,
                                                      int64_t max_states);

  // States of one step, at most.
  int64_t MaxStates() const { return max_states_; }
  // Errors: kUnsupported, when the head gives best tokens only: `otherwise` is what it can serve.
  Result<void> CheckHasLogits(const char* otherwise) const;

  // The end of `tokens` are `num_drafts` guesses; `hidden` [1 + num_drafts, D] are the states of
  // the token before them and of theirs. Chooses position by position as long as guesses agree with
  // the choices: one choice more than leading guesses that are right. `masks`: as of a HeadStep.
  // The choices stay valid until the next call. Errors: as Head::Begin and Head::Choose.
  Result<std::span<const Choice>> Choose(const float* hidden, std::span<const int32_t> tokens,
                                         int64_t num_drafts,
                                         std::span<const grammar::TokenMask* const> masks,
                                         Counters* counters);

  // The same for a token that nothing else can be: without running the head.
  std::span<const Choice> Force(int32_t token);

  // The evidence of the last choices, one each, of a certified head; else empty.
  std::span<const Certificate> Certificates() const { return certificates_; }

  // Logits [num_states, V] from the hidden states of positions from `first_position` on, without
  // choosing; valid until the next call. At most kLogitsStates.
  Result<std::span<float>> Logits(int64_t first_position, const float* hidden, int64_t num_states,
                                  Counters* counters);

 private:
  TokenChooser(Pipeline* pipeline, ThreadPool* pool, const kernels::KernelSet& kernels,
               const ChooserOptions& options);

  Pipeline* const pipeline_;
  const bool want_logprobs_;
  sampling::Sampler sampler_;
  std::unique_ptr<Head> head_;
  int64_t max_states_ = 0;
  AlignedBuffer scratch_;
  std::vector<Choice> choices_;
  std::vector<Certificate> certificates_;
};

}  // namespace headway
