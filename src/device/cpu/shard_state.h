#pragma once

// What the CPU keeps of a shard: keys and values of each conversation, and what steps share. Inside
// this folder only.

#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/stretch_queue.h"
#include "base/thread_pool.h"
#include "device/cpu/best_rows.h"
#include "device/cpu/kv_cache.h"
#include "device/cpu/plan.h"
#include "device/step.h"

namespace headway::cpu {

class CpuShardState final : public ShardState {
 public:
  CpuShardState(const KvPageLayout& layout, std::shared_ptr<KvPool> pool, int64_t capacity_tokens)
      : kv_(layout, std::move(pool), capacity_tokens) {}

  int64_t KvBytes() const override { return kv_.Bytes(); }
  void ShareFrom(const ShardState& other, int64_t num_positions) override {
    kv_.ShareFrom(static_cast<const CpuShardState&>(other).kv_, num_positions);
  }
  void KeepPositions(int64_t num_positions) override { kv_.KeepPositions(num_positions); }
  void FillCache(int64_t num_positions) override { kv_.Fill(num_positions); }

  KvCache& Kv() { return kv_; }

 private:
  KvCache kv_;
};

class CpuWorkspace final : public ShardWorkspace {
 public:
  // For conversations of at most `capacity_tokens`.
  CpuWorkspace(const Plan& plan, int64_t capacity_tokens, int num_threads);

  float* AttentionScratch(int thread_index) {
    return attention_scratch_.Pointer<float>() + thread_index * attention_scratch_floats_;
  }
  // One queue a phase (two for attention); all are reset before a step.
  ChunkQueue& Queue(size_t phase, size_t which) { return queues_[2 * phase + which]; }
  // What a phase of products deals out instead.
  StretchQueue& Tiles(size_t phase) { return tiles_[phase]; }
  // Of a shard that selects; else null.
  BestRows* Best() { return best_.get(); }
  void ResetQueues();

 private:
  AlignedBuffer attention_scratch_;
  int64_t attention_scratch_floats_ = 0;
  size_t num_queues_;
  std::unique_ptr<ChunkQueue[]> queues_;
  std::vector<StretchQueue> tiles_;
  std::unique_ptr<BestRows> best_;
};

}  // namespace headway::cpu
