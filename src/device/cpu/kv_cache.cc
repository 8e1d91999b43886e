#include "device/cpu/kv_cache.h"

#include <algorithm>

#include "kernels/kv_layout.h"

namespace headway::cpu {

int64_t KvCache::CapacityFor(int64_t capacity_tokens) {
  return (capacity_tokens + kernels::kKeyTile - 1) / kernels::kKeyTile * kernels::kKeyTile;
}

KvCache::KvCache(const Plan& plan, KvType type, int64_t capacity_tokens)
    : type_(type), capacity_(CapacityFor(capacity_tokens)) {
  int64_t bytes = 0;
  for (const Phase& phase : plan.phases) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    if (attention == nullptr) continue;
    const graph::AttentionAttributes& a = attention->attention;
    offsets_.push_back(bytes);
    bytes += a.num_kv_heads * kernels::KvHeadBytes(type, a.head_dim, capacity_);
  }
  memory_ = AlignedBuffer(static_cast<size_t>(bytes));
}

std::byte* KvCache::Keys(const AttentionPhase& phase, int64_t kv_head) {
  return memory_.data() + offsets_[static_cast<size_t>(phase.cache_index)] +
         kv_head * kernels::KvHeadBytes(type_, phase.attention.head_dim, capacity_);
}

std::byte* KvCache::Values(const AttentionPhase& phase, int64_t kv_head) {
  return Keys(phase, kv_head) +
         kernels::KvHeadBytes(type_, phase.attention.head_dim, capacity_) / 2;
}

void KvCache::Fill() {
  // As F16, and as scales. As bytes, which codes are, these are numbers, too.
  const auto halves = memory_.As<F16>(memory_.SizeBytes() / sizeof(F16));
  std::fill(halves.begin(), halves.end(), ToF16(0.0625F));
}

}  // namespace headway::cpu
