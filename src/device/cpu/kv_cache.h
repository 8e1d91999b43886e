#pragma once

// The keys and values that a shard's layers keep of one conversation: pages of a pool, some of them
// shared with other conversations that began alike. Inside this folder only.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "device/cpu/kv_pool.h"
#include "device/cpu/plan.h"
#include "headway/kv_type.h"
#include "kernels/kv_layout.h"

namespace headway::cpu {

// Where the heads of a plan's attention phases lie in a page.
class KvPageLayout {
 public:
  KvPageLayout(const Plan& plan, KvType type);

  KvType Type() const { return type_; }
  int64_t PageBytes() const { return page_bytes_; }
  // `pages`: of the conversation.
  kernels::KvHead Head(const AttentionPhase& phase, int64_t kv_head, std::byte* const* pages) const;

 private:
  KvType type_;
  std::vector<int64_t> offsets_;  // bytes, by AttentionPhase::cache_index
  int64_t page_bytes_ = 0;
};

class KvCache {
 public:
  // For at most `capacity_tokens` positions, reserved in `pool`, whose pages are of `layout`.
  KvCache(const KvPageLayout& layout, std::shared_ptr<KvPool> pool, int64_t capacity_tokens);
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;
  ~KvCache();

  KvType Type() const { return layout_.Type(); }
  // Reserved, whether written or not.
  int64_t Bytes() const { return capacity_pages_ * layout_.PageBytes(); }

  // Before positions [first, first + count) are stored: makes their pages this conversation's own.
  // Does not allocate.
  void PrepareToStore(int64_t first, int64_t count);
  // Of one kv head.
  kernels::KvHead Head(const AttentionPhase& phase, int64_t kv_head) const {
    return layout_.Head(phase, kv_head, addresses_.data());
  }

  // Becomes the first `num_positions` positions of `other`, a cache of the same pool.
  void ShareFrom(const KvCache& other, int64_t num_positions);
  // Gives back what no position before `num_positions` needs.
  void KeepPositions(int64_t num_positions);

  // Positions below `num_positions` that have no page yet get some finite number everywhere.
  void Fill(int64_t num_positions);

 private:
  void Add(KvPool::Page* page);

  const KvPageLayout layout_;
  const std::shared_ptr<KvPool> pool_;
  const int64_t capacity_pages_;
  std::vector<KvPool::Page*> pages_;
  std::vector<std::byte*> addresses_;  // of pages_
};

}  // namespace headway::cpu
