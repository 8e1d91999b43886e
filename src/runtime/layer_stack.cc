#include "runtime/layer_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "runtime/clock.h"

namespace headway {
namespace {

int64_t NarrowestStep(Pipeline* pipeline) {
  int64_t step = pipeline->Layers().front()->MaxTokens();
  for (const auto& layer : pipeline->Layers()) step = std::min(step, layer->MaxTokens());
  return step;
}

}  // namespace

LayerStack::LayerStack(Pipeline* pipeline, ThreadPool* pool, const kernels::KernelSet& kernels,
                       const StateOptions& options)
    : pipeline_(pipeline),
      pool_(pool),
      kernels_(kernels),
      max_step_(NarrowestStep(pipeline)),
      rotary_(pipeline->model(), max_step_),
      finite_shards_(static_cast<size_t>(max_step_)) {
  const auto hidden_bytes =
      static_cast<size_t>(max_step_ * pipeline->model().hidden_size) * sizeof(float);
  hidden_a_ = AlignedBuffer(hidden_bytes);
  hidden_b_ = AlignedBuffer(hidden_bytes);
  int64_t scratch_bytes = 0;
  for (const auto& layer : pipeline->Layers()) {
    states_.push_back(layer->NewState(options));
    workspaces_.push_back(layer->NewWorkspace(options.capacity_tokens));
    scratch_bytes = std::max(scratch_bytes, layer->ScratchBytes());
  }
  scratch_ = AlignedBuffer(static_cast<size_t>(scratch_bytes));
}

int64_t LayerStack::KvBytes() const {
  int64_t bytes = 0;
  for (const auto& state : states_) bytes += state->KvBytes();
  return bytes;
}

void LayerStack::KeepCached(int64_t num_tokens) {
  cached_ = std::max<int64_t>(0, std::min(cached_, num_tokens));
}

bool LayerStack::ChooseFactors(int64_t length) {
  if (FactorsFit(length)) return false;
  long_factors_ = !long_factors_;
  return std::exchange(cached_, 0) > 0;
}

void LayerStack::Run(std::span<const int32_t> ids, Counters* counters) noexcept {
  const auto num_tokens = static_cast<int64_t>(ids.size());
  HW_CHECK(num_tokens >= 1 && num_tokens <= max_step_, "a step of at most MaxStep");
  const int64_t D = pipeline_->model().hidden_size;
  const uint64_t start = NowNs();
  float* x = hidden_a_.Pointer<float>();
  float* y = hidden_b_.Pointer<float>();
  pool_->Run([&](int thread_index) {
    for (int64_t t = thread_index; t < num_tokens; t += pool_->NumThreads()) {
      pipeline_->EmbedToken(ids[static_cast<size_t>(t)], x + t * D);
    }
  });
  const uint64_t embedded = NowNs();
  rotary_.Fill(cached_, num_tokens, long_factors_);
  const uint64_t rotated = NowNs();
  std::fill(finite_shards_.begin(), finite_shards_.end(), 0);
  for (size_t i = 0; i < states_.size(); ++i) {
    const uint64_t shard_start = NowNs();
    const StepRow row{
        .state = states_[i].get(), .first_position = cached_, .num_tokens = num_tokens};
    pipeline_->Layers()[i]->Run({.num_tokens = num_tokens,
                                 .rows = {&row, 1},
                                 .input = x,
                                 .output = y,
                                 .output_stride = D,
                                 .rotary_cos = rotary_.Cos(),
                                 .rotary_sin = rotary_.Sin(),
                                 .scratch = scratch_.data(),
                                 .workspace = workspaces_[i].get()});
    CountFinite(i, y, num_tokens);
    std::swap(x, y);
    counters->layer_shard_ns[i] += NowNs() - shard_start;
    counters->layers_bytes_read += static_cast<uint64_t>(pipeline_->Layers()[i]->WeightBytes());
  }
  hidden_ = x;
  num_hidden_ = num_tokens;
  counters->embed_ns += embedded - start;
  counters->rope_mask_ns += rotated - embedded;
  counters->layers_ns += NowNs() - rotated;
}

// Looks at every shard's output, since the next one but one overwrites it: 0.5 us for 3,072
// numbers.
void LayerStack::CountFinite(size_t shard, const float* output, int64_t num_tokens) noexcept {
  const int64_t D = pipeline_->model().hidden_size;
  for (int64_t t = 0; t < num_tokens; ++t) {
    size_t& count = finite_shards_[static_cast<size_t>(t)];
    if (count == shard && kernels_.all_finite(output + t * D, D)) ++count;
  }
}

Result<void> LayerStack::Keep(int64_t num_checked) {
  for (int64_t t = 0; t < num_checked; ++t) {
    const size_t shard = finite_shards_[static_cast<size_t>(t)];
    if (shard == states_.size()) continue;
    const LayerShard& layers = pipeline_->manifest().layers[shard];
    return Fail(ErrorCode::kCorrupt,
                fmt::format("layers [{}, {}): expected finite hidden states, found NaN or infinity "
                            "at position {}: the weights overflow in this model file",
                            layers.start, layers.end, cached_ + t));
  }
  cached_ += num_hidden_;
  return {};
}

void LayerStack::ForgetHidden() {
  hidden_ = nullptr;
  num_hidden_ = 0;
}

void LayerStack::Assume(int64_t num_tokens, bool fill) {
  if (fill) {
    for (const auto& state : states_) state->FillCache();
  }
  cached_ = num_tokens;
  long_factors_ = rotary_.UsesLongFactors(num_tokens + 1);
  ForgetHidden();
}

}  // namespace headway
