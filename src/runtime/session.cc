#include "runtime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/digest.h"
#include "runtime/clock.h"

namespace headway {
namespace {

// Tokens of one step through the layers during a prefill.
int64_t MaxStep(Pipeline* pipeline) {
  int64_t step = pipeline->Layers().front()->MaxTokens();
  for (const auto& layer : pipeline->Layers()) step = std::min(step, layer->MaxTokens());
  return step;
}

// Positions whose logits are computed together by AppendWithLogits: wide enough to share a reading
// of the head, narrow enough that the logits of a 200,064-token vocabulary take 13 MB.
constexpr int64_t kLogitsStep = 16;

}  // namespace

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<Pipeline> pipeline,
                                                 ThreadPool* pool,
                                                 const kernels::KernelSet& kernels,
                                                 SessionOptions options) {
  const ModelConfig& model = pipeline->model();
  if (options.capacity_tokens < 1 || options.capacity_tokens > model.max_position_embeddings) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("sequence: expected 1 to {} tokens (the model's context), found {}",
                            model.max_position_embeddings, options.capacity_tokens));
  }
  HW_TRY_VOID(sampling::Validate(options.sampling, model.vocab_size));
  return std::unique_ptr<Session>(
      new Session(std::move(pipeline), pool, kernels, std::move(options)));
}

Session::Session(std::shared_ptr<Pipeline> pipeline, ThreadPool* pool,
                 const kernels::KernelSet& kernels, SessionOptions options)
    : pipeline_(std::move(pipeline)),
      pool_(pool),
      kernels_(kernels),
      options_(std::move(options)),
      sampler_(options_.sampling, pipeline_->model().vocab_size, kernels_, *pool_),
      head_(pipeline_.get(), kLogitsStep),
      rotary_(pipeline_->model(), MaxStep(pipeline_.get())) {
  const auto hidden_bytes =
      static_cast<size_t>(MaxStep(pipeline_.get()) * pipeline_->model().hidden_size) *
      sizeof(float);
  hidden_a_ = AlignedBuffer(hidden_bytes);
  hidden_b_ = AlignedBuffer(hidden_bytes);
  int64_t scratch_bytes = head_.ScratchBytes();
  for (const auto& layer : pipeline_->Layers()) {
    layer_states_.push_back(layer->NewState(options_.capacity_tokens));
    counters_.kv_bytes += static_cast<uint64_t>(layer_states_.back()->KvBytes());
    scratch_bytes = std::max(scratch_bytes, layer->ScratchBytes());
  }
  scratch_ = AlignedBuffer(static_cast<size_t>(scratch_bytes));
  tokens_.reserve(static_cast<size_t>(options_.capacity_tokens) + 1);
  counters_.step_samples_ns.reserve(static_cast<size_t>(options_.capacity_tokens) + 1);
  counters_.layer_shard_ns.assign(pipeline_->Layers().size(), 0);
  counters_.head_shard_ns.assign(pipeline_->Head().shards.size(), 0);
  uncounted_ = counters_;
}

bool Session::Cancelled() const {
  return options_.cancelled_or_null != nullptr &&
         options_.cancelled_or_null->load(std::memory_order_relaxed);
}

Result<void> Session::CheckIds(std::span<const int32_t> ids) const {
  const int64_t vocab_size = pipeline_->model().vocab_size;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab_size) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("token {}: expected an id from 0 to {}, found {}", i, vocab_size - 1,
                              ids[i]));
    }
  }
  const auto length = static_cast<int64_t>(tokens_.size() + ids.size());
  if (length > options_.capacity_tokens) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("sequence: expected at most {} tokens (model context {}), found {}",
                    options_.capacity_tokens, pipeline_->model().max_position_embeddings, length));
  }
  return {};
}

Result<void> Session::Append(std::span<const int32_t> ids) {
  HW_TRY_VOID(CheckIds(ids));
  if (ids.empty()) return {};
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  const uint64_t start = NowNs();
  const uint64_t skipped = ids.size() - 1;
  HW_TRY_VOID(CatchUp("prefill", static_cast<int64_t>(tokens_.size()), nullptr, &uncounted_));
  counters_.prefill_ns += NowNs() - start;
  counters_.prefill_tokens += ids.size();
  counters_.head_skipped += skipped;
  return {};
}

Result<void> Session::AppendWithLogits(std::span<const int32_t> ids, const LogitsSink& sink) {
  HW_TRY_VOID(CheckIds(ids));
  if (ids.empty()) return {};
  const auto length = static_cast<int64_t>(tokens_.size() + ids.size());
  HW_TRY_VOID(CatchUp("prefill", length, nullptr, &uncounted_));
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  return CatchUp("prefill", length, &sink, &uncounted_);
}

// Runs the layers for every token that is not in the cache yet. `sequence_length`, the length of
// the sequence that these tokens are part of, decides between short and long rotary factors.
Result<void> Session::CatchUp(const char* work, int64_t sequence_length, const LogitsSink* sink,
                              Counters* counters) {
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
  const int64_t step = sink == nullptr ? MaxStep(pipeline_.get()) : kLogitsStep;
  const int64_t first = cached_;
  while (cached_ < length) {
    if (Cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
    const int64_t num_tokens = std::min(step, length - cached_);
    RunLayers(cached_, num_tokens, counters);
    HW_TRY_VOID(CheckFinite(num_tokens));
    if (sink != nullptr) {
      HW_TRY(const std::span<float> logits,
             ProjectChecked(last_hidden_, num_tokens, cached_, &uncounted_));
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

// Logits [num_tokens, V] of positions from `first_position` on, all of them finite.
Result<std::span<float>> Session::ProjectChecked(const float* hidden, int64_t num_tokens,
                                                 int64_t first_position, Counters* counters) {
  const std::span<float> logits = head_.Project(hidden, num_tokens, scratch_.data(), counters);
  if (kernels_.all_finite(logits.data(), static_cast<int64_t>(logits.size()))) return logits;
  const auto vocab_size = static_cast<size_t>(pipeline_->model().vocab_size);
  const auto found =
      static_cast<size_t>(std::find_if(logits.begin(), logits.end(),
                                       [](float logit) { return !std::isfinite(logit); }) -
                          logits.begin());
  return Fail(ErrorCode::kCorrupt,
              fmt::format("head {}: expected finite logits, found {} for token {} at position {}: "
                          "the weights of the head overflow in this model file",
                          pipeline_->Head().kind, logits[found], found % vocab_size,
                          first_position + static_cast<int64_t>(found / vocab_size)));
}

std::span<const float> Session::HiddenState() const {
  const auto D = static_cast<size_t>(pipeline_->model().hidden_size);
  return {last_hidden_ + static_cast<size_t>(last_hidden_tokens_ - 1) * D, D};
}

Result<std::span<const float>> Session::Logits() {
  if (tokens_.empty())
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  HW_TRY_VOID(CatchUp("prefill", static_cast<int64_t>(tokens_.size()), nullptr, &uncounted_));
  HW_TRY(const std::span<float> logits,
         ProjectChecked(HiddenState().data(), 1, cached_ - 1, &uncounted_));
  return std::span<const float>(logits);
}

Result<sampling::Sampler::Choice> Session::Decode() {
  if (tokens_.empty())
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  if (Cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
  const auto length = static_cast<int64_t>(tokens_.size());
  if (length >= options_.capacity_tokens) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("sequence: expected at most {} tokens, found {} and one more",
                            options_.capacity_tokens, length));
  }
  // A step in the sense of the counters runs layers and head for one token.
  const bool whole_step = cached_ + 1 == length && length > 1;
  Counters* counters = whole_step ? &counters_ : &uncounted_;
  const uint64_t start = NowNs();
  HW_TRY_VOID(CatchUp("decode", length, nullptr, counters));
  const uint64_t head_start = NowNs();
  HW_TRY(const std::span<float> logits,
         ProjectChecked(HiddenState().data(), 1, length - 1, counters));
  const sampling::Sampler::Choice choice = head_.Select(
      logits, &sampler_, static_cast<uint64_t>(length), tokens_, options_.want_logprobs, counters);
  const uint64_t end = NowNs();
  if (whole_step) {
    counters_.head_ns += end - head_start;
    counters_.step_ns += end - start;
    ++counters_.steps;
    // Truncate() allows more steps than the capacity; the samples of the first ones stay.
    std::vector<uint64_t>& samples = counters_.step_samples_ns;
    if (samples.size() < samples.capacity()) samples.push_back(end - start);
  } else {
    counters_.prefill_ns += end - start;
  }
  tokens_.push_back(choice.token);
  return choice;
}

uint64_t Session::LastLogitsHash() {
  if (last_hidden_ == nullptr) return 0;
  return Hash64(
      std::as_bytes(head_.Project(HiddenState().data(), 1, scratch_.data(), &uncounted_)));
}

void Session::Truncate(int64_t num_tokens) {
  HW_CHECK(num_tokens >= 0, "a length");
  if (num_tokens >= static_cast<int64_t>(tokens_.size())) return;
  tokens_.resize(static_cast<size_t>(num_tokens));
  // The last token runs again: its hidden state is what the next decode step reads.
  cached_ = std::max<int64_t>(0, std::min(cached_, num_tokens - 1));
  last_hidden_ = nullptr;
  last_hidden_tokens_ = 0;
}

}  // namespace headway
