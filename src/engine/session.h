#pragma once

// One conversation by itself: token ids in, token ids out; a sequence and the executor that runs its
// steps. After construction a decode step allocates nothing. Not thread-safe; many sessions may
// share an executor or a pipeline, one at a time on the same team of threads.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/executor.h"
#include "engine/pipeline.h"
#include "engine/sequence.h"
#include "headway/counters.h"
#include "kernels/kernel_set.h"
#include "sampling/sampler.h"

namespace headway {

class Session {
 public:
  // Errors: those of Executor::NewSequence.
  static Result<std::unique_ptr<Session>> Create(std::shared_ptr<Executor> executor,
                                                 SessionOptions options);
  // The same with an executor of its own. `pool` and `kernels` must outlive the session. Errors:
  // and those of Executor::Create.
  static Result<std::unique_ptr<Session>> Create(std::shared_ptr<Pipeline> pipeline,
                                                 ThreadPool* pool,
                                                 const kernels::KernelSet& kernels,
                                                 SessionOptions options);

  // Appends prompt tokens and runs the layers for them. Errors: kInvalidInput (ids outside the
  // vocabulary, sequence longer than the capacity: nothing is appended then), kCancelled, kCorrupt
  // (a hidden state that is not finite).
  Result<void> Append(std::span<const int32_t> ids);

  // Runs the head on the last position, chooses a token and appends it. The layers see it in the
  // next call. Requires at least one token in the sequence. Errors: kInvalidInput (no token,
  // capacity), kCancelled, kCorrupt (hidden states or logits that are not finite); nothing is
  // appended then.
  Result<sampling::Sampler::Choice> Decode();

  // Like Decode() with guesses at the tokens that follow: `drafts` (at most MaxDrafts()) run
  // through layers and head together with the pending token, in one reading of the weights. Tokens
  // are chosen position by position exactly as Decode() would: one more than the leading drafts
  // that turn out right. They are appended; wrong drafts leave no trace. Drafts beyond the
  // capacity, or beyond the length at which the rotary factors change, are not looked at; neither
  // are any before the first choice after a prompt, whose layers ran with the prompt. Returns the
  // choices, at least one, valid until the next call. Errors: as Decode(), and kInvalidInput for
  // too many drafts or ids outside the vocabulary; nothing is appended then.
  // With a grammar: drafts that it does not allow are not looked at; a token that is the only one
  // allowed is appended without running anything (its logit is given as 0); kInvalidInput when no
  // token is allowed.
  Result<std::span<const sampling::Sampler::Choice>> DecodeWithDrafts(
      std::span<const int32_t> drafts);

  // True when the grammar's text is complete, nothing can follow, and no token may say so.
  bool GrammarIsOver() const { return sequence_->GrammarIsOver(); }

  bool TextIsComplete() const { return sequence_->TextIsComplete(); }
  bool TextIsFinal() const { return sequence_->TextIsFinal(); }
  std::optional<int64_t> TokensOfShortestText() { return sequence_->TokensOfShortestText(); }

  // The most drafts that one step takes.
  int64_t MaxDrafts() const { return sequence_->MaxDrafts(); }

  // Runs the head on the last position and returns its logits [V], without choosing. Valid until
  // the next call. For tests and evaluation.
  Result<std::span<const float>> Logits();

  // Appends ids like Append() and hands the logits [V] of each of these positions to `sink`, in
  // order.
  using LogitsSink = Executor::LogitsSink;
  Result<void> AppendWithLogits(std::span<const int32_t> ids, const LogitsSink& sink);

  // Forgets everything but the first `num_tokens` tokens, the cache included. What comes next
  // equals a fresh session's.
  void Truncate(int64_t num_tokens) { sequence_->Truncate(num_tokens); }

  // For benchmarks of long contexts: a sequence of num_tokens + 1 made-up tokens whose keys and
  // values, but for the last one's, count as cached. What follows costs what it would cost after
  // real tokens and means nothing. Requires num_tokens >= 1 and room for them.
  void AssumeContext(int64_t num_tokens) { sequence_->AssumeContext(num_tokens); }

  // The evidence of the last step's choices, one each, with a certified head; else empty. Valid
  // until the next step.
  std::span<const Certificate> Certificates() const { return sequence_->Certificates(); }

  std::span<const int32_t> Tokens() const { return sequence_->Tokens(); }
  // Decode steps that ran layers and head; a first token, whose layers ran with the prompt, counts
  // as prefill.
  const Counters& GetCounters() const { return sequence_->GetCounters(); }
  // XXH3-64 of the logits of the last position that ran, before sampling touched them (runs the
  // head once more). 0 before the first step.
  uint64_t LastLogitsHash();
  // The last hidden state before the head's norm, [D]. Valid until the next call.
  std::span<const float> HiddenState() const { return sequence_->Hidden(); }

 private:
  Session(std::shared_ptr<Executor> executor, std::unique_ptr<Sequence> sequence)
      : executor_(std::move(executor)), sequence_(std::move(sequence)) {}

  const std::shared_ptr<Executor> executor_;
  const std::unique_ptr<Sequence> sequence_;
};

}  // namespace headway
