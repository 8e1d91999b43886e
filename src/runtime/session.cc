#include "runtime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "runtime/clock.h"
#include "runtime/make_head.h"

namespace headway {
namespace {

// Tokens of one step through the layers during a prefill.
int64_t MaxStep(Pipeline* pipeline) {
  int64_t step = pipeline->Layers().front()->MaxTokens();
  for (const auto& layer : pipeline->Layers()) step = std::min(step, layer->MaxTokens());
  return step;
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
  const bool greedy = IsPlainGreedy(options.sampling, options.want_logprobs);
  std::unique_ptr<Session> session(
      new Session(std::move(pipeline), pool, kernels, std::move(options)));
  HW_TRY(session->head_, MakeHead(session->pipeline_.get(), pool, kernels, &session->sampler_,
                                  session->options_.certified));
  session->Allocate();
  if (!greedy)
    HW_TRY_VOID(
        session->CheckHasLogits("greedy decoding without penalties, biases, "
                                "allow-lists and log-probabilities"));
  if (session->grammar_ != nullptr)
    HW_TRY_VOID(session->CheckHasLogits("decoding without a grammar"));
  return session;
}

Session::Session(std::shared_ptr<Pipeline> pipeline, ThreadPool* pool,
                 const kernels::KernelSet& kernels, SessionOptions options)
    : pipeline_(std::move(pipeline)),
      pool_(pool),
      kernels_(kernels),
      options_(std::move(options)),
      sampler_(options_.sampling, pipeline_->model().vocab_size, kernels_, *pool_),
      rotary_(pipeline_->model(), MaxStep(pipeline_.get())) {}

// Everything that a step needs.
void Session::Allocate() {
  const auto hidden_bytes =
      static_cast<size_t>(MaxStep(pipeline_.get()) * pipeline_->model().hidden_size) *
      sizeof(float);
  hidden_a_ = AlignedBuffer(hidden_bytes);
  hidden_b_ = AlignedBuffer(hidden_bytes);
  int64_t scratch_bytes = head_->ScratchBytes();
  for (const auto& layer : pipeline_->Layers()) {
    layer_states_.push_back(layer->NewState(options_.capacity_tokens));
    counters_.kv_bytes += static_cast<uint64_t>(layer_states_.back()->KvBytes());
    scratch_bytes = std::max(scratch_bytes, layer->ScratchBytes());
  }
  scratch_ = AlignedBuffer(static_cast<size_t>(scratch_bytes));
  tokens_.reserve(static_cast<size_t>(options_.capacity_tokens) + 1);
  choices_.reserve(static_cast<size_t>(MaxDrafts()) + 1);
  certificates_.reserve(choices_.capacity());
  counters_.step_samples_ns.reserve(static_cast<size_t>(options_.capacity_tokens) + 1);
  counters_.layer_shard_ns.assign(pipeline_->Layers().size(), 0);
  counters_.head_shard_ns.assign(pipeline_->Head().shards.size(), 0);
  uncounted_ = counters_;
  RestartGrammar();
}

// Errors: kUnsupported, when the head gives best tokens only.
Result<void> Session::CheckHasLogits(const char* otherwise) const {
  if (head_->HasLogits()) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("head {}: it gives the best token and no logits: expected {}, or a head "
                          "like full:4",
                          pipeline_->Head().kind, otherwise));
}

bool Session::Cancelled() const {
  return options_.cancelled_or_null != nullptr &&
         options_.cancelled_or_null->load(std::memory_order_relaxed);
}

Result<void> Session::CheckInVocabulary(std::span<const int32_t> ids) const {
  const int64_t vocab_size = pipeline_->model().vocab_size;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab_size) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("token {}: expected an id from 0 to {}, found {}", i, vocab_size - 1,
                              ids[i]));
    }
  }
  return {};
}

Result<void> Session::CheckIds(std::span<const int32_t> ids) const {
  HW_TRY_VOID(CheckInVocabulary(ids));
  const auto length = static_cast<int64_t>(tokens_.size() + ids.size());
  if (length > options_.capacity_tokens) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("sequence: expected at most {} tokens (model context {}), found {}",
                    options_.capacity_tokens, pipeline_->manifest().ContextTokens(), length));
  }
  return {};
}

Result<void> Session::Append(std::span<const int32_t> ids) {
  HW_TRY_VOID(CheckIds(ids));
  if (ids.empty()) return {};
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  RestartGrammar();
  const uint64_t start = NowNs();
  const uint64_t skipped = ids.size() - 1;
  HW_TRY_VOID(CatchUp("prefill", static_cast<int64_t>(tokens_.size()), 0, nullptr, &uncounted_));
  counters_.prefill_ns += NowNs() - start;
  counters_.prefill_tokens += ids.size();
  counters_.head_skipped += skipped;
  return {};
}

Result<void> Session::AppendWithLogits(std::span<const int32_t> ids, const LogitsSink& sink) {
  HW_TRY_VOID(CheckHasLogits("text"));
  HW_TRY_VOID(CheckIds(ids));
  if (ids.empty()) return {};
  const auto length = static_cast<int64_t>(tokens_.size() + ids.size());
  HW_TRY_VOID(CatchUp("prefill", length, 0, nullptr, &uncounted_));
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  RestartGrammar();
  return CatchUp("prefill", length, 0, &sink, &uncounted_);
}

// Runs the layers for every token that is not in the cache yet. `sequence_length`, the length of
// the sequence that these tokens are part of, decides between short and long rotary factors. The
// last `num_drafts` tokens are guesses: their hidden states may be anything.
Result<void> Session::CatchUp(const char* work, int64_t sequence_length, int64_t num_drafts,
                              const LogitsSink* sink, Counters* counters) {
  const bool long_factors = rotary_.UsesLongFactors(sequence_length);
  if (long_factors != long_factors_) {
    // Keys in the cache were rotated with the other factors: all of them are computed again.
    if (cached_ > 0) {
      ++counters_.cache_rebuilds;
      work = "rebuilding the cache";
    }
    cached_ = 0;
    long_factors_ = long_factors;
  }
  const auto length = static_cast<int64_t>(tokens_.size());
  const int64_t step = sink == nullptr ? MaxStep(pipeline_.get()) : kLogitsStates;
  const int64_t first = cached_;
  while (cached_ < length) {
    if (Cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
    const int64_t num_tokens = std::min(step, length - cached_);
    RunLayers(cached_, num_tokens, counters);
    const bool is_last = cached_ + num_tokens == length;
    HW_TRY_VOID(CheckFinite(is_last ? num_tokens - num_drafts : num_tokens));
    if (sink != nullptr) {
      HW_TRY(const std::span<float> logits, LogitsAfter(cached_, last_hidden_, num_tokens));
      const auto vocab_size = static_cast<size_t>(pipeline_->model().vocab_size);
      for (int64_t t = 0; t < num_tokens; ++t) {
        (*sink)(cached_ + t, logits.subspan(static_cast<size_t>(t) * vocab_size, vocab_size));
      }
    }
    cached_ += num_tokens;
    if (options_.progress && length - first > 1)
      options_.progress(work, cached_ - first, length - first);
  }
  return {};
}

void Session::RunLayers(int64_t first, int64_t num_tokens, Counters* counters) {
  const int64_t D = pipeline_->model().hidden_size;
  const uint64_t start = NowNs();
  float* x = hidden_a_.Pointer<float>();
  float* y = hidden_b_.Pointer<float>();
  pool_->Run([&](int thread_index) {
    for (int64_t t = thread_index; t < num_tokens; t += pool_->NumThreads()) {
      pipeline_->EmbedToken(tokens_[static_cast<size_t>(first + t)], x + t * D);
    }
  });
  const uint64_t embedded = NowNs();
  rotary_.Fill(first, num_tokens, long_factors_);
  const uint64_t rotated = NowNs();
  for (size_t i = 0; i < layer_states_.size(); ++i) {
    const uint64_t shard_start = NowNs();
    pipeline_->Layers()[i]->Run({.num_tokens = num_tokens,
                                 .first_position = first,
                                 .input = x,
                                 .output = y,
                                 .output_stride = D,
                                 .rotary_cos = rotary_.Cos(),
                                 .rotary_sin = rotary_.Sin(),
                                 .scratch = scratch_.data()},
                                layer_states_[i].get());
    std::swap(x, y);
    counters->layer_shard_ns[i] += NowNs() - shard_start;
    counters->layers_bytes_read += static_cast<uint64_t>(pipeline_->Layers()[i]->WeightBytes());
  }
  last_hidden_ = x;
  last_hidden_tokens_ = num_tokens;
  last_row_ = num_tokens - 1;
  counters->embed_ns += embedded - start;
  counters->rope_mask_ns += rotated - embedded;
  counters->layers_ns += NowNs() - rotated;
}

Result<void> Session::CheckFinite(int64_t num_tokens) const {
  const int64_t D = pipeline_->model().hidden_size;
  if (kernels_.all_finite(last_hidden_, num_tokens * D)) return {};
  return Fail(ErrorCode::kCorrupt,
              fmt::format("layers [0, {}): expected finite hidden states, found NaN or infinity at "
                          "positions [{}, {}): "
                          "the weights overflow in this model file",
                          pipeline_->model().num_hidden_layers, cached_, cached_ + num_tokens));
}

// Logits [num_states, V] from the hidden states of positions from `first_position` on.
Result<std::span<float>> Session::LogitsAfter(int64_t first_position, const float* hidden,
                                              int64_t num_states) {
  return head_->Logits({.hidden = hidden,
                        .num_states = num_states,
                        .first_position = first_position + 1,
                        .want_logprobs = false,
                        .scratch = scratch_.data(),
                        .masks = {}},
                       &uncounted_);
}

std::span<const float> Session::HiddenState() const {
  const auto D = static_cast<size_t>(pipeline_->model().hidden_size);
  return {last_hidden_ + static_cast<size_t>(last_row_) * D, D};
}

Result<std::span<const float>> Session::Logits() {
  HW_TRY_VOID(CheckHasLogits("text"));
  if (tokens_.empty())
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  HW_TRY_VOID(CatchUp("prefill", static_cast<int64_t>(tokens_.size()), 0, nullptr, &uncounted_));
  HW_TRY(const std::span<float> logits, LogitsAfter(cached_ - 1, HiddenState().data(), 1));
  return std::span<const float>(logits);
}

Result<sampling::Sampler::Choice> Session::Decode() {
  HW_TRY(const auto choices, DecodeWithDrafts({}));
  return choices.front();
}

int64_t Session::MaxDrafts() const {
  return std::min(MaxStep(pipeline_.get()), head_->MaxStates()) - 1;
}

Result<void> Session::CheckDecodable() const {
  if (tokens_.empty())
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  if (Cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
  const auto length = static_cast<int64_t>(tokens_.size());
  if (length < options_.capacity_tokens) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("sequence: expected at most {} tokens, found {} and one more",
                          options_.capacity_tokens, length));
}

// How many of the drafts can run with the pending tokens in one step that computes what single
// steps would: same rotary factors, and no work on the cache first.
int64_t Session::UsableDrafts(int64_t wanted) const {
  const auto length = static_cast<int64_t>(tokens_.size());
  const int64_t pending = length - cached_;
  if (pending == 0 || rotary_.UsesLongFactors(length) != long_factors_) return 0;
  int64_t usable =
      std::min({wanted, options_.capacity_tokens - length - 1, MaxStep(pipeline_.get()) - pending});
  while (usable > 0 && rotary_.UsesLongFactors(length + usable) != long_factors_) --usable;
  return std::max<int64_t>(usable, 0);
}

Result<std::span<const sampling::Sampler::Choice>> Session::DecodeWithDrafts(
    std::span<const int32_t> drafts) {
  HW_TRY_VOID(CheckDecodable());
  HW_TRY_VOID(CheckInVocabulary(drafts));
  if (static_cast<int64_t>(drafts.size()) > MaxDrafts()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("drafts: expected at most {} (a step takes {} tokens), found {}",
                            MaxDrafts(), MaxDrafts() + 1, drafts.size()));
  }
  const auto length = static_cast<int64_t>(tokens_.size());
  const auto usable = static_cast<size_t>(UsableDrafts(static_cast<int64_t>(drafts.size())));
  const uint64_t start = NowNs();
  HW_TRY(const int64_t num_drafts, FollowGrammar(drafts.first(usable)));
  counters_.mask_ns += NowNs() - start;
  if (!masks_.empty() && masks_[0]->count == 1 && !options_.want_logprobs)
    return AppendForced(masks_[0]->few[0]);
  // A step in the sense of the counters runs layers and head for tokens of the output; the first
  // choice after a prompt, whose layers ran with the prompt, is the prompt's.
  const bool is_step =
      length > 1 && (cached_ + 1 == length || (cached_ >= prompt_end_ && cached_ < length));
  Counters* counters = is_step ? &counters_ : &uncounted_;
  tokens_.insert(tokens_.end(), drafts.begin(), drafts.begin() + num_drafts);
  const auto forget_drafts = [&](const Error& error) {
    tokens_.resize(static_cast<size_t>(length));
    if (num_drafts > 0) cached_ = std::min(cached_, length - 1);
    return tl::unexpected<Error>(error);
  };
  if (const auto ran = CatchUp("decode", length, num_drafts, nullptr, counters); !ran)
    return forget_drafts(ran.error());
  const uint64_t head_start = NowNs();
  if (const auto ran = RunHead(length, num_drafts, counters); !ran)
    return forget_drafts(ran.error());
  const uint64_t end = NowNs();
  if (is_step) {
    counters_.head_ns += end - head_start;
    CountStep(end - start, num_drafts);
  } else {
    counters_.prefill_ns += end - start;
  }
  return std::span<const sampling::Sampler::Choice>(choices_);
}

void Session::CountStep(uint64_t ns, int64_t num_drafts) {
  counters_.step_ns += ns;
  ++counters_.steps;
  counters_.step_tokens += choices_.size();
  if (num_drafts > 0) {
    SpeculationCounters& speculation = counters_.speculation;
    ++speculation.passes;
    speculation.tokens += choices_.size();
    speculation.drafted += static_cast<uint64_t>(num_drafts);
    speculation.accepted += choices_.size() - 1;
  }
  // Truncate() allows more steps than the capacity; the samples of the first ones stay.
  std::vector<uint64_t>& samples = counters_.step_samples_ns;
  if (samples.size() < samples.capacity()) samples.push_back(ns);
}

// The head for the last 1 + num_drafts positions that ran: chooses as long as the drafts behind
// `length` agree with the choices, and makes the sequence end with the last choice. What wrong
// drafts left in the cache lies behind it and is overwritten before anything can see it.
Result<void> Session::RunHead(int64_t length, int64_t num_drafts, Counters* counters) {
  const int64_t num_states = 1 + num_drafts;
  const int64_t D = pipeline_->model().hidden_size;
  HW_TRY_VOID(head_->Begin({.hidden = last_hidden_ + (last_hidden_tokens_ - num_states) * D,
                            .num_states = num_states,
                            .first_position = length,
                            .want_logprobs = options_.want_logprobs,
                            .scratch = scratch_.data(),
                            .masks = masks_},
                           counters));
  choices_.clear();
  certificates_.clear();
  for (int64_t j = 0;; ++j) {
    const auto position = static_cast<size_t>(length + j);
    HW_TRY(const sampling::Sampler::Choice choice,
           head_->Choose(j, std::span<const int32_t>(tokens_).first(position), counters));
    choices_.push_back(choice);
    if (grammar_ != nullptr) grammar_at_ = grammar_->After(grammar_at_, choice.token);
    if (const Certificate* evidence = head_->LastCertificate()) certificates_.push_back(*evidence);
    // A state that is not finite is left to the next step, which finds it again and reports it.
    if (j < num_drafts && tokens_[position] == choice.token && head_->IsUsable(j + 1)) continue;
    tokens_.resize(position);
    tokens_.push_back(choice.token);
    cached_ = length + j;
    last_row_ -= num_drafts - j;
    return {};
  }
}

uint64_t Session::LastLogitsHash() {
  if (last_hidden_ == nullptr) return 0;
  const auto logits = LogitsAfter(cached_ - 1, HiddenState().data(), 1);
  return logits ? Hash64(std::as_bytes(*logits)) : 0;
}

void Session::Truncate(int64_t num_tokens) {
  HW_CHECK(num_tokens >= 0, "a length");
  if (num_tokens >= static_cast<int64_t>(tokens_.size())) return;
  tokens_.resize(static_cast<size_t>(num_tokens));
  prompt_end_ = std::min(prompt_end_, num_tokens);
  grammar_from_ = std::min(grammar_from_, num_tokens);
  if (grammar_ != nullptr) {
    grammar_at_ = grammar_->Start();
    for (const int32_t id : std::span(tokens_).subspan(static_cast<size_t>(grammar_from_)))
      grammar_at_ = grammar_->After(grammar_at_, id);
  }
  // The last token runs again: its hidden state is what the next decode step reads.
  cached_ = std::max<int64_t>(0, std::min(cached_, num_tokens - 1));
  last_hidden_ = nullptr;
  last_hidden_tokens_ = 0;
  last_row_ = 0;
}

void Session::AssumeContext(int64_t num_tokens) {
  HW_CHECK(num_tokens >= 1 && num_tokens < options_.capacity_tokens, "a length that fits");
  if (tokens_.empty()) {
    for (const auto& state : layer_states_) state->FillCache();
  }
  tokens_.assign(static_cast<size_t>(num_tokens) + 1, 0);
  cached_ = num_tokens;
  long_factors_ = rotary_.UsesLongFactors(num_tokens + 1);
  last_hidden_ = nullptr;
  last_hidden_tokens_ = 0;
}

}  // namespace headway
