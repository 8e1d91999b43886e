#pragma once

// One conversation: its tokens, the keys and values that the layers keep of them, how it chooses,
// its place in a grammar and its counters. Steps run in an Executor (executor.h), which asks a
// sequence what to run, and tells it what came of that.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/choice_rules.h"
#include "engine/grammar_follower.h"
#include "engine/head.h"
#include "engine/pipeline.h"
#include "engine/sequence_cache.h"
#include "grammar/token_grammar.h"
#include "headway/certificate.h"
#include "headway/counters.h"
#include "headway/kv_type.h"
#include "kernels/kernel_set.h"
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
  // The text is kept such that it is complete when the capacity is used up, where that can be done.
  bool finish_within_capacity = false;
  // Called between steps of long work with tokens done and in total ("prefill", "rebuilding the
  // cache").
  std::function<void(const char* work, int64_t done, int64_t total)> progress = nullptr;
  // Set by a signal handler or another thread: work stops with kCancelled at the next step.
  const std::atomic<bool>* cancelled_or_null = nullptr;
};

// What token ids a sequence may hold, and how many.
struct TokenLimits {
  int64_t vocab_size = 0;
  int64_t capacity = 0;  // tokens of a sequence
  int64_t context = 0;   // the model's, at least the capacity; named in errors

  // Errors: kInvalidInput, naming the first id outside the vocabulary.
  Result<void> CheckIds(std::span<const int32_t> ids) const;
  // The same, and that they fit behind `length` tokens.
  Result<void> CheckAppend(int64_t length, std::span<const int32_t> ids) const;
  // That a sequence of `length` tokens can be decoded further: it has one, and room for one more.
  Result<void> CheckDecode(int64_t length) const;
};

class Sequence {
 public:
  using Choice = sampling::Sampler::Choice;

  // What an executor has for every sequence. All must outlive it.
  struct Surroundings {
    Pipeline* pipeline = nullptr;
    ThreadPool* pool = nullptr;
    const kernels::KernelSet* kernels = nullptr;
    int64_t max_step = 0;    // tokens of a step
    int64_t max_states = 0;  // of them, from how many tokens can be chosen
  };

  // `options` are good (Executor::NewSequence). Allocates all that decoding needs.
  Sequence(const Surroundings& surroundings, SessionOptions options);

  std::span<const int32_t> Tokens() const { return tokens_; }
  int64_t Length() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t Capacity() const { return options_.capacity_tokens; }
  KvType Kv() const { return options_.kv; }
  const Counters& GetCounters() const { return counters_; }
  // Of the last step's choices, one each, with a certified head; else empty.
  std::span<const Certificate> Certificates() const { return certificates_; }
  int64_t MaxDrafts() const { return surroundings_.max_states - 1; }
  bool GrammarIsOver() const { return grammar_ != nullptr && grammar_->IsOver(); }
  // How far the grammar's text is: true of sequences without a grammar, too.
  bool TextIsComplete() const { return grammar_ == nullptr || grammar_->IsComplete(); }
  // Of a grammar's text alone: complete, and nothing can follow.
  bool TextIsFinal() const { return grammar_ != nullptr && grammar_->IsFinal(); }
  // With so many tokens finish_within_capacity completes the text from its start; none: not known.
  std::optional<int64_t> TokensOfShortestText() {
    return grammar_ == nullptr ? std::nullopt : grammar_->TokensOfShortestText();
  }

  // That `ids` may follow, and that a token may be chosen. Errors: kInvalidInput, kCancelled.
  Result<void> CheckAppend(std::span<const int32_t> ids) const;
  Result<void> CheckCancelled() const;
  // Tokens of a prompt, checked; the layers see them with the next step.
  void AddPrompt(std::span<const int32_t> ids);
  void CountPrefill(uint64_t ns, size_t num_tokens);

  void Truncate(int64_t num_tokens);
  // Begins as `other` does, a sequence of the same executor: with its first `num_tokens` tokens, or
  // as many of them as the layers saw and there is room for. Their keys and values are shared until
  // one of the two changes them; what comes of that is what it would be without sharing, bit for
  // bit. Requires that this sequence has no tokens. Returns how many it has now: 0 where the two
  // store keys and values in different forms.
  int64_t ShareFrom(const Sequence& other, int64_t num_tokens);
  // Gives the memory of keys and values back; the tokens stay, and run again with the next step.
  void ForgetCache();
  void AssumeContext(int64_t num_tokens);

  // Reading: layers run for the tokens that are not cached yet. `sequence_length`: of the sequence
  // that they are part of, which decides between short and long rotary factors; `work` names it.
  void BeginReading(int64_t sequence_length, const char* work);
  int64_t NumPending() const { return Length() - cache_.NumCached(); }
  std::span<const int32_t> Pending(int64_t count) const;
  int64_t NumCached() const { return cache_.NumCached(); }
  SequenceCache* Cache() { return &cache_; }
  // The layers saw the next `num_tokens` tokens; `hidden` [D] belongs to the one before the drafts,
  // or to the last of them all.
  void CommitTokens(int64_t num_tokens, const float* hidden);
  // The state before the head's norm of the last position whose logits count, [D]; empty: none yet.
  std::span<const float> Hidden() const { return hidden_; }

  // Decoding: takes the usable ones of `drafts` and finds what the grammar allows. Where that is one
  // token alone it is appended without a step: true. `most_drafts`: what the step has room for.
  // Errors: as Session::DecodeWithDrafts().
  Result<bool> BeginStep(std::span<const int32_t> drafts, int64_t most_drafts);
  int64_t NumDrafts() const { return step_.num_drafts; }  // of the step
  // The state that chooses the token after draft number `draft` - 1.
  HeadState StateOf(int64_t draft);
  std::span<const int32_t> HistoryOf(int64_t draft) const;
  // Whether draft number `draft` is that token.
  bool IsRight(int64_t draft, int32_t token) const;
  Counters* StepCounters() { return step_.counters; }
  void AddChoice(const Choice& choice, const Certificate* evidence_or_null);
  // The sequence goes on with the choices. `hidden` [D]: from which the last one came.
  void EndStep(const float* hidden, uint64_t head_start_ns);
  // As if the step had not been.
  void AbandonStep();
  std::span<const Choice> Choices() const { return choices_; }
  // What the last step's only choice was drawn from, by its logits [V] (Executor::Logits).
  sampling::Distribution DrawnFrom(std::span<const float> logits, int64_t count);

  // ln softmax of `id`, by logits [V] of any position: to the bit what a choice's logprob is.
  float LogprobOf(std::span<const float> logits, int32_t id) {
    return rules_.sampler.Logprob(logits, id);
  }

  // Of work that is no step of decoding.
  Counters* Uncounted() { return &uncounted_; }

 private:
  struct Step {
    int64_t length = 0;  // tokens before the drafts
    int64_t num_drafts = 0;
    TokenMasks masks = {};
    uint64_t start_ns = 0;
    Counters* counters = nullptr;
  };

  void RestartGrammar();
  int64_t UsableDrafts(int64_t wanted) const;
  void AppendForced(int32_t token);
  void CountStep(uint64_t ns);

  const Surroundings surroundings_;
  const SessionOptions options_;
  const TokenLimits limits_;
  SequenceCache cache_;
  ChoiceRules rules_;
  std::unique_ptr<GrammarFollower> grammar_;  // null: none
  std::vector<int32_t> tokens_;
  std::vector<float> hidden_;  // [D] or empty
  int64_t grammar_from_ = 0;   // the grammar's text begins with that token
  int64_t prompt_end_ = 0;     // tokens up to here were appended
  Step step_;
  std::vector<Choice> choices_;
  std::vector<Certificate> certificates_;
  const char* work_ = "";  // of the reading, for progress
  int64_t read_from_ = 0;  // where it began
  Counters counters_;
  Counters uncounted_;  // head runs outside decode steps
};

}  // namespace headway
