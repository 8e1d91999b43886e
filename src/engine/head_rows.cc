#include "engine/head_rows.h"

#include <algorithm>
#include <limits>

#include "base/clock.h"

namespace headway {

ProductInputs::ProductInputs(const LoadedHead* head, int64_t channels, int64_t max_states)
    : head_(*head),
      channels_(channels),
      multiplied_(static_cast<size_t>(max_states * channels) * sizeof(float)) {
  const LoadedHeadShard& shard = *head->shards.front();
  workspace_ = shard.NewWorkspace(0);
  for (int64_t i = 0; i < max_states; ++i) {
    states_.push_back(
        {.scratch = AlignedBuffer(static_cast<size_t>(shard.ScratchBytes())), .input = {}});
  }
}

void ProductInputs::Compute(const float* hidden, int64_t num_states) {
  const int64_t D = channels_;
  for (int64_t t = 0; t < num_states; ++t) {
    State& state = states_[static_cast<size_t>(t)];
    state.input =
        head_.shards.front()->Strips()->RunToProduct({.num_tokens = 1,
                                                      .input = hidden + t * D,
                                                      .scratch = state.scratch.data(),
                                                      .workspace = workspace_.get()},
                                                     multiplied_.Pointer<float>() + t * D);
  }
}

HeadRows::HeadRows(const LoadedHead* head, const ProductInputs* inputs)
    : head_(*head), inputs_(*inputs) {
  for (const HeadShard& spec : head_.specs) num_rows_ += spec.vocab_end - spec.vocab_start;
  for (const auto& shard : head_.shards) full_bytes_ += shard->WeightBytes();
}

void HeadRows::Compute(int64_t strip, int64_t state, float* logits) noexcept {
  // Shards begin at multiples of a strip's rows (graph::kHeadRowGranule).
  const int64_t row = strip * kRowBlock;
  const auto after = std::upper_bound(
      head_.specs.begin(), head_.specs.end(), row,
      [](int64_t value, const HeadShard& shard) { return value < shard.vocab_start; });
  const auto index = static_cast<size_t>(after - head_.specs.begin()) - 1;
  const int64_t first = head_.specs[index].vocab_start;
  head_.shards[index]->Strips()->ComputeStrip(inputs_.Of(state), (row - first) / kRowBlock,
                                              logits + first);
}

// After a failure estimates are NaN, of which nobody takes a bound.
void HeadSigns::Estimate(const float* rotated, int64_t num_states, float* estimates) noexcept {
  for (size_t i = 0; outcome_ && i < head_.shards.size(); ++i) {
    outcome_ = head_.shards[i]->Screen()->EstimateRows(
        rotated, num_states, estimates + head_.specs[i].vocab_start, num_rows_);
  }
  if (!outcome_)
    std::fill_n(estimates, num_states * num_rows_, std::numeric_limits<float>::quiet_NaN());
}

int64_t HeadSigns::Bytes() const {
  int64_t bytes = 0;
  for (const auto& shard : head_.shards) bytes += shard->Screen()->EstimateBytes();
  return bytes;
}

ReducedRows::ReducedRows(Pipeline* pipeline, int64_t max_states)
    : shard_(pipeline->Head().first.get()), ids_(pipeline->Head().first_ids) {
  if (!Exist()) return;
  workspace_ = shard_->NewWorkspace(0);
  scratch_ = AlignedBuffer(static_cast<size_t>(shard_->ScratchBytes()));
  logits_ = AlignedBuffer(static_cast<size_t>(max_states) * ids_.size() * sizeof(float));
}

Result<void> ReducedRows::Compute(const HeadStep& step, Counters* counters) {
  if (!Exist()) return {};
  const uint64_t start = NowNs();
  const auto count = static_cast<int64_t>(ids_.size());
  HW_TRY_VOID(shard_->Run({.num_tokens = step.NumStates(),
                           .input = step.hidden,
                           .output = logits_.Pointer<float>(),
                           .output_stride = count,
                           .scratch = scratch_.data(),
                           .workspace = workspace_.get()}));
  const uint64_t ns = NowNs() - start;
  counters->head_predict_ns += ns;
  counters->head_predict_shard_work_ns += ns;
  counters->head_bytes_read += static_cast<uint64_t>(shard_->WeightBytes());
  counters->head_rows_computed += static_cast<uint64_t>(count * step.NumStates());
  return {};
}

}  // namespace headway
