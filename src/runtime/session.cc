#include "runtime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "runtime/clock.h"
#include "runtime/make_head.h"

namespace headway {
namespace {

Result<void> CheckStorable(Pipeline* pipeline, KvType kv) {
  for (const auto& layer : pipeline->Layers()) {
    if (layer->CanStore(kv)) continue;
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("keys and values in {}: expected the device cpu and head_dim a multiple "
                    "of 32, found {} and {}",
                    ToString(kv), pipeline->manifest().device, pipeline->model().head_dim));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<Pipeline> pipeline,
                                                 ThreadPool* pool,
                                                 const kernels::KernelSet& kernels,
                                                 SessionOptions options) {
  const ModelConfig& model = pipeline->model();
  const int64_t context = pipeline->manifest().ContextTokens();
  if (options.capacity_tokens < 1 || options.capacity_tokens > context) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("sequence: expected 1 to {} tokens (the model's context), found {}",
                            context, options.capacity_tokens));
  }
  HW_TRY_VOID(sampling::Validate(options.sampling, model.vocab_size));
  HW_TRY_VOID(CheckStorable(pipeline.get(), options.kv));
  std::unique_ptr<Session> session(
      new Session(std::move(pipeline), pool, kernels, std::move(options)));
  HW_TRY_VOID(session->Complete(pool, kernels));
  return session;
}

Session::Session(std::shared_ptr<Pipeline> pipeline, ThreadPool* pool,
                 const kernels::KernelSet& kernels, SessionOptions options)
    : pipeline_(std::move(pipeline)),
      options_(std::move(options)),
      limits_({.vocab_size = pipeline_->model().vocab_size,
               .capacity = options_.capacity_tokens,
               .context = pipeline_->manifest().ContextTokens()}),
      layers_(pipeline_.get(), pool, kernels,
              {.capacity_tokens = options_.capacity_tokens, .kv = options_.kv}) {}

// Makes the head and everything else that a step needs.
Result<void> Session::Complete(ThreadPool* pool, const kernels::KernelSet& kernels) {
  HW_TRY(chooser_, TokenChooser::Create(pipeline_.get(), pool, kernels,
                                        {.sampling = options_.sampling,
                                         .want_logprobs = options_.want_logprobs,
                                         .certified = options_.certified},
                                        layers_.MaxStep()));
  counters_.kv_bytes = static_cast<uint64_t>(layers_.KvBytes());
  tokens_.reserve(static_cast<size_t>(options_.capacity_tokens) + 1);
  counters_.step_samples_ns.reserve(static_cast<size_t>(options_.capacity_tokens) + 1);
  counters_.layer_shard_ns.assign(pipeline_->Layers().size(), 0);
  counters_.head_shard_ns.assign(pipeline_->Head().shards.size(), 0);
  uncounted_ = counters_;
  if (options_.grammar != nullptr) {
    HW_TRY_VOID(chooser_->CheckHasLogits("decoding without a grammar"));
    grammar_ = std::make_unique<GrammarFollower>(options_.grammar, options_.trie, options_.sampling,
                                                 pipeline_->model().vocab_size, MaxDrafts() + 1);
  }
  return {};
}

bool Session::Cancelled() const {
  return options_.cancelled_or_null != nullptr &&
         options_.cancelled_or_null->load(std::memory_order_relaxed);
}

Result<void> Session::Append(std::span<const int32_t> ids) {
  HW_TRY_VOID(limits_.CheckAppend(Length(), ids));
  if (ids.empty()) return {};
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  RestartGrammar();
  const uint64_t start = NowNs();
  const uint64_t skipped = ids.size() - 1;
  HW_TRY_VOID(CatchUp("prefill", Length(), 0, nullptr, &uncounted_));
  counters_.prefill_ns += NowNs() - start;
  counters_.prefill_tokens += ids.size();
  counters_.head_skipped += skipped;
  return {};
}

Result<void> Session::AppendWithLogits(std::span<const int32_t> ids, const LogitsSink& sink) {
  HW_TRY_VOID(chooser_->CheckHasLogits("text"));
  HW_TRY_VOID(limits_.CheckAppend(Length(), ids));
  if (ids.empty()) return {};
  const auto length = Length() + static_cast<int64_t>(ids.size());
  HW_TRY_VOID(CatchUp("prefill", length, 0, nullptr, &uncounted_));
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  RestartGrammar();
  return CatchUp("prefill", length, 0, &sink, &uncounted_);
}

void Session::RestartGrammar() {
  prompt_end_ = grammar_from_ = Length();
  if (grammar_ != nullptr) grammar_->Restart({});
}

bool Session::GrammarIsOver() const { return grammar_ != nullptr && grammar_->IsOver(); }

// Runs the layers for every token that is not in the cache yet. `sequence_length`, the length of
// the sequence that these tokens are part of, decides between short and long rotary factors. The
// last `num_drafts` tokens are guesses: their hidden states may be anything.
Result<void> Session::CatchUp(const char* work, int64_t sequence_length, int64_t num_drafts,
                              const LogitsSink* sink, Counters* counters) {
  if (layers_.ChooseFactors(sequence_length)) {
    ++counters_.cache_rebuilds;
    work = "rebuilding the cache";
  }
  const auto length = Length();
  const int64_t step =
      sink == nullptr ? layers_.MaxStep() : std::min(layers_.MaxStep(), kLogitsStates);
  const int64_t first = layers_.NumCached();
  for (int64_t at = first; at < length; at = layers_.NumCached()) {
    if (Cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
    const int64_t num_tokens = std::min(step, length - at);
    layers_.Run(
        std::span(tokens_).subspan(static_cast<size_t>(at), static_cast<size_t>(num_tokens)),
        counters);
    last_row_ = num_tokens - 1;
    const bool is_last = at + num_tokens == length;
    HW_TRY_VOID(layers_.Keep(is_last ? num_tokens - num_drafts : num_tokens));
    if (sink != nullptr) {
      HW_TRY(const std::span<float> logits,
             chooser_->Logits(at, layers_.Hidden(), num_tokens, &uncounted_));
      const auto vocab_size = static_cast<size_t>(pipeline_->model().vocab_size);
      for (int64_t t = 0; t < num_tokens; ++t) {
        (*sink)(at + t, logits.subspan(static_cast<size_t>(t) * vocab_size, vocab_size));
      }
    }
    if (options_.progress && length - first > 1)
      options_.progress(work, at + num_tokens - first, length - first);
  }
  return {};
}

std::span<const float> Session::HiddenState() const {
  const auto D = static_cast<size_t>(pipeline_->model().hidden_size);
  return {layers_.Hidden() + static_cast<size_t>(last_row_) * D, D};
}

Result<std::span<const float>> Session::Logits() {
  HW_TRY_VOID(chooser_->CheckHasLogits("text"));
  if (tokens_.empty())
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  HW_TRY_VOID(CatchUp("prefill", Length(), 0, nullptr, &uncounted_));
  HW_TRY(const std::span<float> logits,
         chooser_->Logits(layers_.NumCached() - 1, HiddenState().data(), 1, &uncounted_));
  return std::span<const float>(logits);
}

Result<sampling::Sampler::Choice> Session::Decode() {
  HW_TRY(const auto choices, DecodeWithDrafts({}));
  return choices.front();
}

int64_t Session::MaxDrafts() const { return chooser_->MaxStates() - 1; }

// How many of the drafts can run with the pending tokens in one step that computes what single
// steps would: same rotary factors, and no work on the cache first.
int64_t Session::UsableDrafts(int64_t wanted) const {
  const auto length = Length();
  const int64_t pending = length - layers_.NumCached();
  if (pending == 0 || !layers_.FactorsFit(length)) return 0;
  int64_t usable =
      std::min({wanted, options_.capacity_tokens - length - 1, layers_.MaxStep() - pending});
  while (usable > 0 && !layers_.FactorsFit(length + usable)) --usable;
  return std::max<int64_t>(usable, 0);
}

Result<std::span<const sampling::Sampler::Choice>> Session::DecodeWithDrafts(
    std::span<const int32_t> drafts) {
  HW_TRY_VOID(limits_.CheckDecode(Length()));
  HW_TRY_VOID(limits_.CheckIds(drafts));
  if (Cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
  if (static_cast<int64_t>(drafts.size()) > MaxDrafts()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("drafts: expected at most {} (a step takes {} tokens), found {}",
                            MaxDrafts(), MaxDrafts() + 1, drafts.size()));
  }
  const auto length = Length();
  const auto usable = static_cast<size_t>(UsableDrafts(static_cast<int64_t>(drafts.size())));
  const uint64_t start = NowNs();
  auto num_drafts = static_cast<int64_t>(usable);
  TokenMasks masks;
  if (grammar_ != nullptr) {
    HW_TRY(num_drafts, grammar_->Follow(drafts.first(usable)));
    masks = grammar_->Masks();
    counters_.mask_ns += NowNs() - start;
    if (masks[0]->count == 1 && !options_.want_logprobs) return AppendForced(masks[0]->few[0]);
  }
  // A step in the sense of the counters runs layers and head for tokens of the output; the first
  // choice after a prompt, whose layers ran with the prompt, is the prompt's.
  const int64_t cached = layers_.NumCached();
  const bool is_step =
      length > 1 && (cached + 1 == length || (cached >= prompt_end_ && cached < length));
  Counters* counters = is_step ? &counters_ : &uncounted_;
  tokens_.insert(tokens_.end(), drafts.begin(), drafts.begin() + num_drafts);
  const auto forget_drafts = [&](const Error& error) {
    tokens_.resize(static_cast<size_t>(length));
    if (num_drafts > 0) layers_.KeepCached(length - 1);
    return tl::unexpected<Error>(error);
  };
  if (const auto ran = CatchUp("decode", length, num_drafts, nullptr, counters); !ran)
    return forget_drafts(ran.error());
  const uint64_t head_start = NowNs();
  const int64_t D = pipeline_->model().hidden_size;
  const auto chosen =
      chooser_->Choose(layers_.Hidden() + (layers_.NumHidden() - 1 - num_drafts) * D, tokens_,
                       num_drafts, masks, counters);
  if (!chosen) return forget_drafts(chosen.error());
  Take(*chosen, length, num_drafts);
  const uint64_t end = NowNs();
  if (is_step) {
    counters_.head_ns += end - head_start;
    CountStep(end - start, chosen->size(), num_drafts);
  } else {
    counters_.prefill_ns += end - start;
  }
  return *chosen;
}

// Makes the sequence, `length` tokens and drafts, end with the last choice. What wrong drafts left
// in the cache lies behind it and is overwritten before anything can see it.
void Session::Take(std::span<const sampling::Sampler::Choice> choices, int64_t length,
                   int64_t num_drafts) {
  if (grammar_ != nullptr) {
    for (const sampling::Sampler::Choice& choice : choices) grammar_->Take(choice.token);
  }
  const int64_t right = static_cast<int64_t>(choices.size()) - 1;
  tokens_.resize(static_cast<size_t>(length + right));
  tokens_.push_back(choices.back().token);
  layers_.KeepCached(length + right);
  last_row_ -= num_drafts - right;
}

void Session::CountStep(uint64_t ns, size_t num_choices, int64_t num_drafts) {
  counters_.step_ns += ns;
  ++counters_.steps;
  counters_.step_tokens += num_choices;
  if (num_drafts > 0) {
    SpeculationCounters& speculation = counters_.speculation;
    ++speculation.passes;
    speculation.tokens += num_choices;
    speculation.drafted += static_cast<uint64_t>(num_drafts);
    speculation.accepted += num_choices - 1;
  }
  // Truncate() allows more steps than the capacity; the samples of the first ones stay.
  std::vector<uint64_t>& samples = counters_.step_samples_ns;
  if (samples.size() < samples.capacity()) samples.push_back(ns);
}

std::span<const sampling::Sampler::Choice> Session::AppendForced(int32_t token) {
  tokens_.push_back(token);
  grammar_->Take(token);
  ++counters_.head_skipped;
  ++counters_.forced_tokens;
  return chooser_->Force(token);
}

uint64_t Session::LastLogitsHash() {
  if (layers_.Hidden() == nullptr) return 0;
  const auto logits =
      chooser_->Logits(layers_.NumCached() - 1, HiddenState().data(), 1, &uncounted_);
  return logits ? Hash64(std::as_bytes(*logits)) : 0;
}

void Session::Truncate(int64_t num_tokens) {
  HW_CHECK(num_tokens >= 0, "a length");
  if (num_tokens >= Length()) return;
  tokens_.resize(static_cast<size_t>(num_tokens));
  prompt_end_ = std::min(prompt_end_, num_tokens);
  grammar_from_ = std::min(grammar_from_, num_tokens);
  if (grammar_ != nullptr)
    grammar_->Restart(std::span(tokens_).subspan(static_cast<size_t>(grammar_from_)));
  // The last token runs again: its hidden state is what the next decode step reads.
  layers_.KeepCached(num_tokens - 1);
  layers_.ForgetHidden();
  last_row_ = 0;
}

void Session::AssumeContext(int64_t num_tokens) {
  HW_CHECK(num_tokens >= 1 && num_tokens < options_.capacity_tokens, "a length that fits");
  layers_.Assume(num_tokens, tokens_.empty());
  tokens_.assign(static_cast<size_t>(num_tokens) + 1, 0);
}

}  // namespace headway
