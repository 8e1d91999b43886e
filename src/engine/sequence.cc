#include "engine/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace headway {

Sequence::Sequence(const Surroundings& surroundings, SessionOptions options)
    : surroundings_(surroundings),
      options_(std::move(options)),
      limits_({.vocab_size = surroundings.pipeline->model().vocab_size,
               .capacity = options_.capacity_tokens,
               .context = surroundings.pipeline->manifest().ContextTokens()}),
      cache_(surroundings.pipeline,
             {.capacity_tokens = options_.capacity_tokens, .kv = options_.kv}),
      rules_({.sampling = options_.sampling,
              .want_logprobs = options_.want_logprobs,
              .certified = options_.certified},
             *surroundings.pipeline, *surroundings.kernels, surroundings.pool) {
  const auto capacity = static_cast<size_t>(options_.capacity_tokens) + 1;
  const auto max_states = static_cast<size_t>(surroundings.max_states);
  tokens_.reserve(capacity);
  hidden_.reserve(static_cast<size_t>(surroundings.pipeline->model().hidden_size));
  choices_.reserve(max_states);
  certificates_.reserve(max_states);
  counters_.kv_bytes = static_cast<uint64_t>(cache_.KvBytes());
  counters_.step_samples_ns.reserve(capacity);
  counters_.layer_shard_ns.assign(surroundings.pipeline->Layers().size(), 0);
  counters_.head_shard_ns.assign(surroundings.pipeline->Head().shards.size(), 0);
  uncounted_ = counters_;
  if (options_.grammar != nullptr) {
    grammar_ = std::make_unique<GrammarFollower>(options_.grammar, options_.trie, options_.sampling,
                                                 limits_.vocab_size, surroundings.max_states);
  }
}

Result<void> Sequence::CheckAppend(std::span<const int32_t> ids) const {
  return limits_.CheckAppend(Length(), ids);
}

Result<void> Sequence::CheckCancelled() const {
  const bool cancelled = options_.cancelled_or_null != nullptr &&
                         options_.cancelled_or_null->load(std::memory_order_relaxed);
  return cancelled ? Result<void>(Fail(ErrorCode::kCancelled, "interrupted")) : Result<void>();
}

void Sequence::AddPrompt(std::span<const int32_t> ids) {
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  RestartGrammar();
}

void Sequence::CountPrefill(uint64_t ns, size_t num_tokens) {
  counters_.prefill_ns += ns;
  counters_.prefill_tokens += num_tokens;
  counters_.head_skipped += num_tokens - 1;
}

void Sequence::RestartGrammar() {
  prompt_end_ = grammar_from_ = Length();
  if (grammar_ != nullptr) grammar_->Restart({});
}

void Sequence::Truncate(int64_t num_tokens) {
  HW_CHECK(num_tokens >= 0, "a length");
  if (num_tokens >= Length()) return;
  tokens_.resize(static_cast<size_t>(num_tokens));
  prompt_end_ = std::min(prompt_end_, num_tokens);
  grammar_from_ = std::min(grammar_from_, num_tokens);
  if (grammar_ != nullptr)
    grammar_->Restart(std::span(tokens_).subspan(static_cast<size_t>(grammar_from_)));
  // The last token runs again: its hidden state is what the next decode step reads.
  cache_.KeepCached(num_tokens - 1);
  hidden_.clear();
}

int64_t Sequence::ShareFrom(const Sequence& other, int64_t num_tokens) {
  HW_CHECK(tokens_.empty(), "a sequence without tokens");
  const int64_t shared = std::min({num_tokens, other.cache_.NumCached(), options_.capacity_tokens});
  if (shared <= 0 || options_.kv != other.options_.kv) return 0;
  const auto prefix = other.Tokens().first(static_cast<size_t>(shared));
  tokens_.assign(prefix.begin(), prefix.end());
  cache_.ShareFrom(other.cache_, shared - 1);  // the last one runs again, as after Truncate()
  RestartGrammar();
  return shared;
}

void Sequence::ForgetCache() {
  cache_.KeepCached(0);
  hidden_.clear();
}

void Sequence::AssumeContext(int64_t num_tokens) {
  HW_CHECK(num_tokens >= 1 && num_tokens < options_.capacity_tokens, "a length that fits");
  cache_.FillWithMadeUpKeys(num_tokens);
  hidden_.clear();
  tokens_.assign(static_cast<size_t>(num_tokens) + 1, 0);
}

void Sequence::BeginReading(int64_t sequence_length, const char* work) {
  work_ = work;
  if (cache_.ChooseFactors(sequence_length)) {
    ++counters_.cache_rebuilds;
    work_ = "rebuilding the cache";
  }
  read_from_ = cache_.NumCached();
}

std::span<const int32_t> Sequence::Pending(int64_t count) const {
  return std::span(tokens_).subspan(static_cast<size_t>(cache_.NumCached()),
                                    static_cast<size_t>(count));
}

void Sequence::CommitTokens(int64_t num_tokens, const float* hidden) {
  cache_.Extend(num_tokens);
  hidden_.assign(hidden, hidden + surroundings_.pipeline->model().hidden_size);
  const int64_t total = Length() - read_from_;
  if (options_.progress && total > 1)
    options_.progress(work_, cache_.NumCached() - read_from_, total);
}

// How many of the drafts can run with the pending tokens in one step that computes what single
// steps would: same rotary factors, and no work on the cache first.
int64_t Sequence::UsableDrafts(int64_t wanted) const {
  const int64_t length = Length();
  const int64_t pending = NumPending();
  if (pending == 0 || !cache_.FactorsFit(length)) return 0;
  int64_t usable =
      std::min({wanted, options_.capacity_tokens - length - 1, surroundings_.max_step - pending});
  while (usable > 0 && !cache_.FactorsFit(length + usable)) --usable;
  return std::max<int64_t>(usable, 0);
}

Result<bool> Sequence::BeginStep(std::span<const int32_t> drafts, int64_t most_drafts) {
  HW_TRY_VOID(limits_.CheckDecode(Length()));
  HW_TRY_VOID(limits_.CheckIds(drafts));
  HW_TRY_VOID(CheckCancelled());
  const auto wanted = static_cast<int64_t>(drafts.size());
  if (wanted > MaxDrafts()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("drafts: expected at most {} (a step takes {} tokens), found {}",
                            MaxDrafts(), MaxDrafts() + 1, wanted));
  }
  choices_.clear();
  certificates_.clear();
  const int64_t length = Length();
  const int64_t cached = cache_.NumCached();
  // A step in the sense of the counters runs layers and head for tokens of the output; the first
  // choice after a prompt, whose layers ran with the prompt, is the prompt's.
  const bool is_step =
      length > 1 && (cached + 1 == length || (cached >= prompt_end_ && cached < length));
  step_ = {.length = length,
           .num_drafts = UsableDrafts(std::min(wanted, most_drafts)),
           .masks = {},
           .start_ns = NowNs(),
           .counters = is_step ? &counters_ : &uncounted_};
  if (grammar_ != nullptr) {
    const int64_t left = options_.finish_within_capacity ? options_.capacity_tokens - length
                                                         : GrammarFollower::kNoLimit;
    HW_TRY(step_.num_drafts,
           grammar_->Follow(drafts.first(static_cast<size_t>(step_.num_drafts)), left));
    step_.masks = grammar_->Masks();
    counters_.mask_ns += NowNs() - step_.start_ns;
    if (step_.masks[0]->count == 1 && !options_.want_logprobs) {
      AppendForced(step_.masks[0]->few[0]);
      return true;
    }
  }
  tokens_.insert(tokens_.end(), drafts.begin(), drafts.begin() + step_.num_drafts);
  BeginReading(length, "decode");
  return false;
}

void Sequence::AppendForced(int32_t token) {
  tokens_.push_back(token);
  grammar_->FollowToken(token);
  ++counters_.head_skipped;
  ++counters_.forced_tokens;
  choices_.push_back({.token = token, .logit = 0.0F, .logprob = 0.0F});
  if (rules_.sparse) certificates_.push_back({.token = token, .fallback = true});
}

HeadState Sequence::StateOf(int64_t draft) {
  return {.rules = &rules_,
          .position = step_.length + draft,
          .mask = step_.masks.empty() ? nullptr : step_.masks[static_cast<size_t>(draft)]};
}

std::span<const int32_t> Sequence::HistoryOf(int64_t draft) const {
  return std::span(tokens_).first(static_cast<size_t>(step_.length + draft));
}

bool Sequence::IsRight(int64_t draft, int32_t token) const {
  return draft < step_.num_drafts && tokens_[static_cast<size_t>(step_.length + draft)] == token;
}

void Sequence::AddChoice(const Choice& choice, const Certificate* evidence_or_null) {
  choices_.push_back(choice);
  if (evidence_or_null != nullptr) certificates_.push_back(*evidence_or_null);
}

sampling::Distribution Sequence::DrawnFrom(std::span<const float> logits, int64_t count) {
  std::vector<float> changed(logits.begin(), logits.end());
  const auto mask = step_.masks.empty() ? std::span<const uint64_t>()
                                        : std::span<const uint64_t>(step_.masks[0]->bits);
  return rules_.sampler.Probabilities(changed, HistoryOf(0), mask, count, choices_.front().token);
}

// Makes the sequence end with the last choice. What wrong drafts left in the cache lies behind it
// and is overwritten before anything can see it.
void Sequence::EndStep(const float* hidden, uint64_t head_start_ns) {
  if (grammar_ != nullptr) {
    for (const Choice& choice : choices_) grammar_->FollowToken(choice.token);
  }
  const int64_t right = static_cast<int64_t>(choices_.size()) - 1;
  tokens_.resize(static_cast<size_t>(step_.length + right));
  tokens_.push_back(choices_.back().token);
  cache_.KeepCached(step_.length + right);
  hidden_.assign(hidden, hidden + surroundings_.pipeline->model().hidden_size);
  const uint64_t end = NowNs();
  if (step_.counters != &counters_) {
    counters_.prefill_ns += end - step_.start_ns;
    return;
  }
  counters_.head_ns += end - head_start_ns;
  CountStep(end - step_.start_ns);
}

void Sequence::AbandonStep() {
  tokens_.resize(static_cast<size_t>(step_.length));
  if (step_.num_drafts > 0) cache_.KeepCached(step_.length - 1);
}

void Sequence::CountStep(uint64_t ns) {
  counters_.step_ns += ns;
  ++counters_.steps;
  counters_.step_tokens += choices_.size();
  if (step_.num_drafts > 0) {
    SpeculationCounters& speculation = counters_.speculation;
    ++speculation.passes;
    speculation.tokens += choices_.size();
    speculation.drafted += static_cast<uint64_t>(step_.num_drafts);
    speculation.accepted += choices_.size() - 1;
  }
  // Truncate() allows more steps than the capacity; the samples of the first ones stay.
  std::vector<uint64_t>& samples = counters_.step_samples_ns;
  if (samples.size() < samples.capacity()) samples.push_back(ns);
}

Result<void> TokenLimits::CheckIds(std::span<const int32_t> ids) const {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab_size) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("token {}: expected an id from 0 to {}, found {}", i, vocab_size - 1,
                              ids[i]));
    }
  }
  return {};
}

Result<void> TokenLimits::CheckAppend(int64_t length, std::span<const int32_t> ids) const {
  HW_TRY_VOID(CheckIds(ids));
  const int64_t together = length + static_cast<int64_t>(ids.size());
  if (together <= capacity) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("sequence: expected at most {} tokens (model context {}), found {}",
                          capacity, context, together));
}

Result<void> TokenLimits::CheckDecode(int64_t length) const {
  if (length == 0)
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  if (length < capacity) return {};
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("sequence: expected at most {} tokens, found {} and one more", capacity, length));
}

}  // namespace headway
