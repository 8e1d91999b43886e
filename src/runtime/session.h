#pragma once

// One conversation: token ids in, token ids out. Keeps the sequence, its layers with their cache,
// its head, its place in a grammar and the counters together; shares the Pipeline. After
// construction a decode step allocates nothing. Not thread-safe; many sessions may share a
// pipeline, one at a time on the same team of threads.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "grammar/token_grammar.h"
#include "headway/counters.h"
#include "headway/kv_type.h"
#include "kernels/kernel_set.h"
#include "runtime/grammar_follower.h"
#include "runtime/layer_stack.h"
#include "runtime/pipeline.h"
#include "runtime/token_chooser.h"
#include "runtime/token_limits.h"
#include "sampling/sampler.h"

namespace headway {

struct SessionOptions {
  int64_t capacity_tokens = 0;  // longest sequence; at most the model's context
  KvType kv = KvType::kF16;
  sampling::SamplingParams sampling;
  bool want_logprobs = false;
  CertifiedOptions certified = {};  // of a certified head
  // The output, what follows the last tokens that were appended, is a text of this grammar. Both or
  // none; `trie` holds the vocabulary's bytes and end tokens.
  std::shared_ptr<const grammar::Automaton> grammar = nullptr;
  std::shared_ptr<const grammar::TokenTrie> trie = nullptr;
  // Called between steps of long work with tokens done and in total ("prefill", "rebuilding the
  // cache").
  std::function<void(const char* work, int64_t done, int64_t total)> progress = nullptr;
  // Set by a signal handler or another thread: the session stops with kCancelled at the next step.
  const std::atomic<bool>* cancelled_or_null = nullptr;
};

class Session {
 public:
  // `pool` and `kernels` must outlive the session. Errors: kInvalidInput (capacity, sampling
  // parameters), kUnsupported (keys and values in a form that a shard cannot store).
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

  // True when the grammar's text is complete, nothing can follow, and no token exists to say so.
  bool GrammarIsOver() const;

  // The most drafts that one step takes.
  int64_t MaxDrafts() const;

  // Runs the head on the last position and returns its logits [V], without choosing. Valid until
  // the next call. For tests and evaluation.
  Result<std::span<const float>> Logits();

  // Appends ids like Append() and hands the logits [V] of each of these positions to `sink`, in
  // order.
  using LogitsSink = std::function<void(int64_t position, std::span<const float> logits)>;
  Result<void> AppendWithLogits(std::span<const int32_t> ids, const LogitsSink& sink);

  // Forgets everything but the first `num_tokens` tokens, the cache included. What comes next
  // equals a fresh session's.
  void Truncate(int64_t num_tokens);

  // For benchmarks of long contexts: a sequence of num_tokens + 1 made-up tokens whose keys and
  // values, but for the last one's, count as cached. What follows costs what it would cost after
  // real tokens and means nothing. Requires num_tokens >= 1 and room for them.
  void AssumeContext(int64_t num_tokens);

  // The evidence of the last step's choices, one each, with a certified head; else empty. Valid
  // until the next step.
  std::span<const Certificate> Certificates() const { return chooser_->Certificates(); }

  std::span<const int32_t> Tokens() const { return tokens_; }
  // Decode steps that ran layers and head; a first token, whose layers ran with the prompt, counts
  // as prefill.
  const Counters& GetCounters() const { return counters_; }
  // XXH3-64 of the logits of the last position that ran, before sampling touched them (runs the
  // head once more). 0 before the first step.
  uint64_t LastLogitsHash();
  // The last hidden state before the head's norm, [D]. Valid until the next call.
  std::span<const float> HiddenState() const;

 private:
  Session(std::shared_ptr<Pipeline> pipeline, ThreadPool* pool, const kernels::KernelSet& kernels,
          SessionOptions options);

  Result<void> Complete(ThreadPool* pool, const kernels::KernelSet& kernels);
  int64_t Length() const { return static_cast<int64_t>(tokens_.size()); }
  bool Cancelled() const;
  void RestartGrammar();
  Result<void> CatchUp(const char* work, int64_t sequence_length, int64_t num_drafts,
                       const LogitsSink* sink, Counters* counters);
  int64_t UsableDrafts(int64_t wanted) const;
  void Take(std::span<const sampling::Sampler::Choice> choices, int64_t length, int64_t num_drafts);
  std::span<const sampling::Sampler::Choice> AppendForced(int32_t token);
  void CountStep(uint64_t ns, size_t num_choices, int64_t num_drafts);

  std::shared_ptr<Pipeline> pipeline_;
  SessionOptions options_;
  const TokenLimits limits_;
  LayerStack layers_;
  std::unique_ptr<TokenChooser> chooser_;
  std::unique_ptr<GrammarFollower> grammar_;  // null: none
  int64_t last_row_ = 0;  // of layers_.Hidden(): the position whose logits gave the last choice
  std::vector<int32_t> tokens_;
  int64_t grammar_from_ = 0;  // the grammar's text begins with that token
  int64_t prompt_end_ = 0;    // tokens up to here were appended
  Counters counters_;
  Counters uncounted_;  // head runs outside decode steps
};

}  // namespace headway
