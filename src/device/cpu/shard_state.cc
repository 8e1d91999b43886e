#include "device/cpu/shard_state.h"

#include <algorithm>

#include "kernels/kernel_set.h"

namespace headway::cpu {

CpuWorkspace::CpuWorkspace(const Plan& plan, int64_t capacity_tokens, int num_threads)
    : num_queues_(2 * plan.phases.size()), queues_(std::make_unique<ChunkQueue[]>(num_queues_)) {
  for (size_t i = 0; i < plan.phases.size(); ++i) tiles_.emplace_back(num_threads);
  for (const Phase& phase : plan.phases) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    if (attention == nullptr) continue;
    const graph::AttentionAttributes& a = attention->attention;
    attention_scratch_floats_ = std::max(
        attention_scratch_floats_,
        kernels::AttentionScratchFloats(a.num_heads / a.num_kv_heads, a.head_dim, capacity_tokens));
  }
  const LinearPart* const product = plan.LastProduct();
  if (product != nullptr && product->selection == Selection::kTop1)
    best_ = std::make_unique<BestRows>(num_threads, kMaxStepTokens);
  attention_scratch_floats_ = (attention_scratch_floats_ + 15) / 16 * 16;
  attention_scratch_ =
      AlignedBuffer(static_cast<size_t>(attention_scratch_floats_ * num_threads) * sizeof(float));
}

void CpuWorkspace::ResetQueues() {
  for (size_t i = 0; i < num_queues_; ++i) queues_[i].Reset();
  for (StretchQueue& queue : tiles_) queue.Reset();
}

}  // namespace headway::cpu
