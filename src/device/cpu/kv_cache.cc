#include "device/cpu/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "tensor/half.h"

namespace headway::cpu {

KvPageLayout::KvPageLayout(const Plan& plan, KvType type) : type_(type) {
  for (const Phase& phase : plan.phases) {
    const auto* attention = std::get_if<AttentionPhase>(&phase);
    if (attention == nullptr) continue;
    const graph::AttentionAttributes& a = attention->attention;
    offsets_.push_back(page_bytes_);
    page_bytes_ += a.num_kv_heads * kernels::KvPageBytes(type, a.head_dim);
  }
}

kernels::KvHead KvPageLayout::Head(const AttentionPhase& phase, int64_t kv_head,
                                   std::byte* const* pages) const {
  const int64_t head_dim = phase.attention.head_dim;
  return {.pages = pages,
          .offset = offsets_[static_cast<size_t>(phase.cache_index)] +
                    kv_head * kernels::KvPageBytes(type_, head_dim),
          .tile_bytes = kernels::KvTileBytes(type_, head_dim)};
}

KvCache::KvCache(const KvPageLayout& layout, std::shared_ptr<KvPool> pool, int64_t capacity_tokens)
    : layout_(layout),
      pool_(std::move(pool)),
      capacity_pages_(kernels::NumKvPages(capacity_tokens)) {
  pages_.reserve(static_cast<size_t>(capacity_pages_));
  addresses_.reserve(static_cast<size_t>(capacity_pages_));
  pool_->Reserve(capacity_pages_);
}

KvCache::~KvCache() {
  KeepPositions(0);
  pool_->Unreserve(capacity_pages_);
}

void KvCache::Add(KvPool::Page* page) {
  pages_.push_back(page);
  addresses_.push_back(page->data);
}

void KvCache::PrepareToStore(int64_t first, int64_t count) {
  const auto begin = static_cast<size_t>(first / kernels::kKvPage);
  const auto end = static_cast<size_t>(kernels::NumKvPages(first + count));
  HW_CHECK(begin <= pages_.size() && static_cast<int64_t>(end) <= capacity_pages_,
           "positions that follow those stored");
  for (size_t i = begin; i < end; ++i) {
    if (i == pages_.size()) {
      Add(pool_->TakePage());
    } else if (KvPool::Page* const shared = pages_[i]; pool_->IsShared(shared)) {
      KvPool::Page* const own = pool_->TakePage();
      std::memcpy(own->data, shared->data, static_cast<size_t>(layout_.PageBytes()));
      pages_[i] = own;
      addresses_[i] = own->data;
      pool_->Release(shared);
    }
  }
}

void KvCache::ShareFrom(const KvCache& other, int64_t num_positions) {
  const int64_t num_pages = kernels::NumKvPages(num_positions);
  HW_CHECK(pool_ == other.pool_ && num_pages <= capacity_pages_ &&
               num_pages <= static_cast<int64_t>(other.pages_.size()),
           "positions of a cache of the same shard");
  if (this == &other) return KeepPositions(num_positions);
  KeepPositions(0);
  for (int64_t i = 0; i < num_pages; ++i) {
    KvPool::Page* const page = other.pages_[static_cast<size_t>(i)];
    pool_->Share(page);
    Add(page);
  }
}

void KvCache::KeepPositions(int64_t num_positions) {
  const auto kept = static_cast<size_t>(kernels::NumKvPages(num_positions));
  for (; pages_.size() > kept; pages_.pop_back(), addresses_.pop_back())
    pool_->Release(pages_.back());
}

void KvCache::Fill(int64_t num_positions) {
  for (auto stored = static_cast<int64_t>(pages_.size());
       stored < kernels::NumKvPages(num_positions); ++stored) {
    PrepareToStore(stored * kernels::kKvPage, 1);
    // As F16, and as scales. As bytes, which codes are, these are numbers, too.
    std::fill_n(reinterpret_cast<F16*>(addresses_.back()),
                layout_.PageBytes() / static_cast<int64_t>(sizeof(F16)), ToF16(0.0625F));
  }
}

}  // namespace headway::cpu
