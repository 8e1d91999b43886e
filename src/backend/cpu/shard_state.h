#pragma once

// Per-session memory of one shard on the CPU: keys and values of its layers, attention scratch,
// work queues. Inside this folder only.

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/plan.h"
#include "base/aligned_buffer.h"
#include "base/stretch_queue.h"
#include "base/thread_pool.h"
#include "tensor/half.h"

namespace headway::cpu {

class CpuShardState final : public ShardState {
 public:
  CpuShardState(const Plan& plan, int64_t capacity_tokens, int num_threads);

  int64_t KvBytes() const override { return static_cast<int64_t>(kv_.SizeBytes()); }
  void FillCache() override;

  // Key tiles and value rows of one kv head (kernels/kernel_set.h), for capacity positions.
  F16* Keys(const AttentionPhase& phase, int64_t kv_head) { return Heads(phase, kv_head); }
  F16* Values(const AttentionPhase& phase, int64_t kv_head) {
    return Heads(phase, kv_head) + capacity_ * phase.attention.head_dim;
  }
  float* AttentionScratch(int thread_index) {
    return attention_scratch_.Pointer<float>() + thread_index * attention_scratch_floats_;
  }
  // One queue a phase (two for attention); all are reset before a step.
  ChunkQueue& Queue(size_t phase, size_t which) { return queues_[2 * phase + which]; }
  // What a phase of products deals out instead.
  StretchQueue& Tiles(size_t phase) { return tiles_[phase]; }
  void ResetQueues();

 private:
  F16* Heads(const AttentionPhase& phase, int64_t kv_head) {
    return kv_.Pointer<F16>() + cache_offsets_[static_cast<size_t>(phase.cache_index)] +
           2 * kv_head * capacity_ * phase.attention.head_dim;
  }

  int64_t capacity_;                    // positions, a multiple of the key tile
  std::vector<int64_t> cache_offsets_;  // elements, by cache_index
  AlignedBuffer kv_;
  AlignedBuffer attention_scratch_;
  int64_t attention_scratch_floats_ = 0;
  size_t num_queues_;
  std::unique_ptr<ChunkQueue[]> queues_;
  std::vector<StretchQueue> tiles_;
};

}  // namespace headway::cpu
