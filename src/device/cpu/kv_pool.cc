#include "device/cpu/kv_pool.h"

#include "base/check.h"
#include "base/platform.h"

namespace headway::cpu {

void KvPool::Reserve(int64_t num_pages) {
  const std::lock_guard lock(mutex_);
  num_reserved_ += num_pages;
  const int64_t missing = num_reserved_ - static_cast<int64_t>(pages_.size());
  if (missing <= 0) return;
  AlignedBuffer& memory = memory_.emplace_back(static_cast<size_t>(missing * page_bytes_));
  free_.reserve(pages_.size() + static_cast<size_t>(missing));
  for (int64_t i = missing - 1; i >= 0; --i)
    free_.push_back(&pages_.emplace_back(Page{.data = memory.data() + i * page_bytes_}));
}

void KvPool::Unreserve(int64_t num_pages) {
  const std::lock_guard lock(mutex_);
  num_reserved_ -= num_pages;
}

KvPool::Page* KvPool::TakePage() {
  const std::lock_guard lock(mutex_);
  HW_CHECK(!free_.empty(), "pages that were reserved");
  Page* const page = free_.back();
  free_.pop_back();
  page->num_users = 1;
  return page;
}

void KvPool::Share(Page* page) {
  const std::lock_guard lock(mutex_);
  ++page->num_users;
}

bool KvPool::IsShared(const Page* page) const {
  const std::lock_guard lock(mutex_);
  return page->num_users > 1;
}

void KvPool::Release(Page* page) {
  const std::lock_guard lock(mutex_);
  if (--page->num_users > 0) return;
  platform::ReleaseMemory(page->data, static_cast<size_t>(page_bytes_));
  free_.push_back(page);
}

int64_t KvPool::NumUsed() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(pages_.size() - free_.size());
}

}  // namespace headway::cpu
