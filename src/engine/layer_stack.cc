#include "engine/layer_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/exhaustion.h"

namespace headway {
namespace {

int64_t NarrowestStep(Pipeline* pipeline) {
  int64_t step = pipeline->Layers().front()->MaxTokens();
  for (const auto& layer : pipeline->Layers()) step = std::min(step, layer->MaxTokens());
  return step;
}

}  // namespace

LayerStack::LayerStack(Pipeline* pipeline, ThreadPool* pool, const kernels::KernelSet& kernels)
    : pipeline_(pipeline),
      pool_(pool),
      kernels_(kernels),
      max_step_(NarrowestStep(pipeline)),
      rotary_(pipeline->model(), max_step_),
      workspaces_(pipeline->Layers().size()),
      finite_shards_(static_cast<size_t>(max_step_)) {
  const auto hidden_bytes =
      static_cast<size_t>(max_step_ * pipeline->model().hidden_size) * sizeof(float);
  hidden_a_ = AlignedBuffer(hidden_bytes);
  hidden_b_ = AlignedBuffer(hidden_bytes);
  int64_t scratch_bytes = 0;
  for (const auto& layer : pipeline->Layers())
    scratch_bytes = std::max(scratch_bytes, layer->ScratchBytes());
  scratch_ = AlignedBuffer(static_cast<size_t>(scratch_bytes));
  step_rows_.reserve(workspaces_.size() * static_cast<size_t>(max_step_));
  runs_.resize(workspaces_.size());
  ids_.reserve(static_cast<size_t>(max_step_));
}

void LayerStack::Reserve(int64_t capacity_tokens) {
  if (capacity_tokens <= capacity_tokens_) return;
  for (size_t i = 0; i < workspaces_.size(); ++i)
    workspaces_[i] = pipeline_->Layers()[i]->NewWorkspace(capacity_tokens);
  capacity_tokens_ = capacity_tokens;
}

Result<void> LayerStack::Run(std::span<const LayerRow> rows, Counters* counters) noexcept {
  ids_.clear();
  for (const LayerRow& row : rows) {
    HW_CHECK(ids_.size() + row.ids.size() <= static_cast<size_t>(max_step_),
             "a step of at most MaxStep");
    ids_.insert(ids_.end(), row.ids.begin(), row.ids.end());
  }
  num_tokens_ = static_cast<int64_t>(ids_.size());
  HW_CHECK(num_tokens_ >= 1, "a step of at least one token");
  const uint64_t start = NowNs();
  const uint32_t meetings = pool_->Meetings();
  Embed(hidden_a_.Pointer<float>());
  const uint64_t embedded = NowNs();
  FillRotary(rows);
  const uint64_t rotated = NowNs();
  std::fill(finite_shards_.begin(), finite_shards_.end(), 0);
  FillRuns(rows);
  struct {
    LayerStack* stack;
    Counters* counters;
    uint64_t since;
    size_t done;
  } progress{this, counters, NowNs(), 0};
  // One pointer, so that the function needs no memory.
  const Result<void> ran = pipeline_->Layers().front()->RunStack(runs_, [&progress](size_t shard) {
    LayerStack& stack = *progress.stack;
    stack.CountFinite(shard, stack.runs_[shard].args.output);
    const uint64_t now = NowNs();
    progress.counters->layer_shard_ns[shard] += now - progress.since;
    progress.counters->layers_bytes_read +=
        static_cast<uint64_t>(stack.pipeline_->Layers()[shard]->WeightBytes());
    progress.since = now;
    progress.done = shard + 1;
  });
  hidden_ = runs_.back().args.output;
  counters->embed_ns += embedded - start;
  counters->rope_mask_ns += rotated - embedded;
  counters->layers_ns += NowNs() - rotated;
  counters->layers_meetings += pool_->Meetings() - meetings;
  if (ran) return {};
  return OrOutOfMemory("layers", [&]() -> Result<void> {
    const LayerShard& layers = pipeline_->manifest().layers[progress.done];
    return Prefixed(ran.error(), fmt::format("layers [{}, {})", layers.start, layers.end));
  });
}

void LayerStack::Embed(float* x) noexcept {
  const int64_t D = pipeline_->model().hidden_size;
  pool_->Run([&](int thread_index) {
    for (int64_t t = thread_index; t < num_tokens_; t += pool_->NumThreads())
      pipeline_->EmbedToken(ids_[static_cast<size_t>(t)], x + t * D);
  });
}

void LayerStack::FillRotary(std::span<const LayerRow> rows) noexcept {
  int64_t token = 0;
  for (const LayerRow& row : rows) {
    const auto count = static_cast<int64_t>(row.ids.size());
    rotary_.Fill(row.cache->NumCached(), count, row.cache->HasLongFactors(), token);
    token += count;
  }
}

// A shard's output is the next one's input: hidden_a_ and hidden_b_ in turns.
void LayerStack::FillRuns(std::span<const LayerRow> rows) noexcept {
  step_rows_.clear();
  float* x = hidden_a_.Pointer<float>();
  float* y = hidden_b_.Pointer<float>();
  for (size_t shard = 0; shard < runs_.size(); ++shard) {
    for (const LayerRow& row : rows) {
      step_rows_.push_back({.state = row.cache->Of(shard),
                            .first_position = row.cache->NumCached(),
                            .num_tokens = static_cast<int64_t>(row.ids.size())});
    }
    runs_[shard] = {.shard = pipeline_->Layers()[shard].get(),
                    .args = {.num_tokens = num_tokens_,
                             .rows = std::span(step_rows_).last(rows.size()),
                             .input = x,
                             .output = y,
                             .output_stride = pipeline_->model().hidden_size,
                             .rotary_cos = rotary_.Cos(),
                             .rotary_sin = rotary_.Sin(),
                             .rotary_table_stride = rotary_.TableStride(),
                             .scratch = scratch_.data(),
                             .workspace = workspaces_[shard].get()}};
    std::swap(x, y);
  }
}

// Looks at every shard's output, since the next one but one overwrites it: 0.5 us for 3,072
// numbers.
void LayerStack::CountFinite(size_t shard, const float* output) noexcept {
  const int64_t D = pipeline_->model().hidden_size;
  for (int64_t t = 0; t < num_tokens_; ++t) {
    size_t& count = finite_shards_[static_cast<size_t>(t)];
    if (count == shard && kernels_.all_finite(output + t * D, D)) ++count;
  }
}

Result<void> LayerStack::CheckFinite(int64_t first_token, int64_t count, int64_t position) const {
  for (int64_t t = 0; t < count; ++t) {
    const size_t shard = finite_shards_[static_cast<size_t>(first_token + t)];
    if (shard == workspaces_.size()) continue;
    const LayerShard& layers = pipeline_->manifest().layers[shard];
    return Fail(ErrorCode::kCorrupt,
                fmt::format("layers [{}, {}): expected finite hidden states, found NaN or infinity "
                            "at position {}: the weights overflow in this model file",
                            layers.start, layers.end, position + t));
  }
  return {};
}

}  // namespace headway
