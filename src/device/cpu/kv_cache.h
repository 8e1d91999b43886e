#pragma once

// The keys and values of a shard's layers, in one piece of memory. Inside this folder only.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "device/cpu/plan.h"
#include "headway/kv_type.h"

namespace headway::cpu {

class KvCache {
 public:
  // For the attention phases of `plan`. Takes address space; pages become memory when written.
  KvCache(const Plan& plan, KvType type, int64_t capacity_tokens);

  // Positions that it has for sequences of that length: a multiple of the key tile.
  static int64_t CapacityFor(int64_t capacity_tokens);

  KvType Type() const { return type_; }
  int64_t Bytes() const { return static_cast<int64_t>(memory_.SizeBytes()); }

  // Of one kv head (kernels/kv_layout.h), 64-byte aligned.
  std::byte* Keys(const AttentionPhase& phase, int64_t kv_head);
  std::byte* Values(const AttentionPhase& phase, int64_t kv_head);

  // Every key and value becomes some finite number.
  void Fill();

 private:
  KvType type_;
  int64_t capacity_;
  std::vector<int64_t> offsets_;  // bytes, by AttentionPhase::cache_index
  AlignedBuffer memory_;
};

}  // namespace headway::cpu
