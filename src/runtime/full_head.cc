#include "runtime/full_head.h"

#include <algorithm>

#include "base/check.h"
#include "base/digest.h"
#include "runtime/clock.h"

namespace headway {

FullHead::FullHead(Pipeline* pipeline, int64_t max_tokens)
    : pipeline_(pipeline),
      max_tokens_(max_tokens),
      logits_(static_cast<size_t>(max_tokens * pipeline->model().vocab_size) * sizeof(float)) {
  for (const auto& shard : pipeline->Head().shards) states_.push_back(shard->NewState(1));
}

int64_t FullHead::ScratchBytes() const {
  int64_t most = 0;
  for (const auto& shard : pipeline_->Head().shards) most = std::max(most, shard->ScratchBytes());
  return most;
}

std::span<float> FullHead::Project(const float* hidden, int64_t num_tokens, std::byte* scratch,
                                   Counters* counters) noexcept {
  HW_CHECK(num_tokens >= 1 && num_tokens <= max_tokens_, "a head step of at most MaxTokens");
  const LoadedHead& head = pipeline_->Head();
  const int64_t vocab_size = pipeline_->model().vocab_size;
  const uint64_t start = NowNs();
  for (size_t i = 0; i < head.shards.size(); ++i) {
    const uint64_t shard_start = NowNs();
    head.shards[i]->Run({.num_tokens = num_tokens,
                         .first_position = 0,
                         .input = hidden,
                         .output = logits_.Pointer<float>() + head.specs[i].vocab_start,
                         .output_stride = vocab_size,
                         .rotary_cos = nullptr,
                         .rotary_sin = nullptr,
                         .scratch = scratch},
                        states_[i].get());
    const uint64_t shard_ns = NowNs() - shard_start;
    counters->head_shard_ns[i] += shard_ns;
    counters->head_predict_shard_work_ns += shard_ns;
    counters->head_bytes_read += static_cast<uint64_t>(head.shards[i]->WeightBytes());
  }
  counters->head_predict_ns += NowNs() - start;
  return logits_.As<float>(static_cast<size_t>(num_tokens * vocab_size));
}

sampling::Sampler::Choice FullHead::Select(std::span<float> logits, sampling::Sampler* sampler,
                                           uint64_t position, std::span<const int32_t> history,
                                           bool want_logprob, Counters* counters) noexcept {
  const uint64_t start = NowNs();
  const sampling::Sampler::Choice choice = sampler->Sample(logits, position, history, want_logprob);
  const uint64_t ns = NowNs() - start;
  counters->head_reduce_ns += ns;
  counters->head_reduce_shard_work_ns += ns;
  return choice;
}

}  // namespace headway
