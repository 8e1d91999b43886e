#pragma once

// Memory for the pages of a shard's caches (kernels/kv_layout.h), lent to any number of
// conversations. Inside this folder only.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "base/aligned_buffer.h"

namespace headway::cpu {

class KvPool {
 public:
  // A page of every layer and kv head of the shard.
  struct Page {
    std::byte* data = nullptr;  // 64-byte aligned
    int64_t num_users = 0;
  };

  explicit KvPool(int64_t page_bytes) : page_bytes_(page_bytes) {}

  int64_t PageBytes() const { return page_bytes_; }

  // From now on so many pages more can be taken without allocating; Unreserve() takes that back.
  // Costs address space alone: pages become memory when written. Throws std::bad_alloc.
  void Reserve(int64_t num_pages);
  void Unreserve(int64_t num_pages);

  // A page of its own for one user; what it holds is anything. One was reserved.
  Page* TakePage();
  void Share(Page* page);
  bool IsShared(const Page* page) const;
  // One user fewer; the memory of a page without any goes back to the system.
  void Release(Page* page);

  // Pages that have users.
  int64_t NumUsed() const;

 private:
  const int64_t page_bytes_;
  mutable std::mutex mutex_;  // conversations begin and end while others step
  std::vector<AlignedBuffer> memory_;
  std::deque<Page> pages_;
  std::vector<Page*> free_;
  int64_t num_reserved_ = 0;
};

}  // namespace headway::cpu
