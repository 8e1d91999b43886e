#include "backend/cpu/shard_state.h"

#include <algorithm>

#include "kernels/kernel_set.h"

namespace headway::cpu {

CpuShardState::CpuShardState(const Plan& plan, int64_t capacity_tokens, int num_threads)
    : capacity_((capacity_tokens + kernels::kKeyTile - 1) / kernels::kKeyTile * kernels::kKeyTile),
      num_queues_(2 * plan.phases.size()),
      queues_(std::make_unique<ChunkQueue[]>(num_queues_)) {
  for (size_t i = 0; i < plan.phases.size(); ++i) tiles_.emplace_back(num_threads);
  int64_t elements = 0;
  for (const Phase& phase : plan.phases) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    if (attention == nullptr) continue;
    const graph::AttentionAttributes& a = attention->attention;
    cache_offsets_.push_back(elements);
    elements += 2 * a.num_kv_heads * capacity_ * a.head_dim;
    attention_scratch_floats_ = std::max(
        attention_scratch_floats_,
        kernels::AttentionScratchFloats(a.num_heads / a.num_kv_heads, a.head_dim, capacity_));
  }
  kv_ = AlignedBuffer(static_cast<size_t>(elements) * sizeof(F16));
  attention_scratch_floats_ = (attention_scratch_floats_ + 15) / 16 * 16;
  attention_scratch_ =
      AlignedBuffer(static_cast<size_t>(attention_scratch_floats_ * num_threads) * sizeof(float));
}

void CpuShardState::FillCache() {
  const auto cache = kv_.As<F16>(kv_.SizeBytes() / sizeof(F16));
  std::fill(cache.begin(), cache.end(), ToF16(0.0625F));
}

void CpuShardState::ResetQueues() {
  for (size_t i = 0; i < num_queues_; ++i) queues_[i].Reset();
  for (StretchQueue& queue : tiles_) queue.Reset();
}

}  // namespace headway::cpu
