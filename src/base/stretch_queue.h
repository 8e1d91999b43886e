#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace headway {

// Deals out [0, total) like ChunkQueue (thread_pool.h), but each member first gets a stretch of its
// own, from front to back, and then helps the others with theirs: memory sees one unbroken stream a
// member. Chunks shrink towards the end of a stretch: each take drains the processor's queue of
// loads, so few are better, and small last ones let members finish together.
class StretchQueue {
 public:
  explicit StretchQueue(int num_members)
      : num_members_(num_members),
        cursors_(std::make_unique<Cursor[]>(static_cast<size_t>(num_members))) {}
  void Reset() {
    for (int i = 0; i < num_members_; ++i)
      cursors_[static_cast<size_t>(i)].taken.store(0, std::memory_order_relaxed);
  }
  // Where the stretch of a member begins.
  int64_t First(int member, int64_t total) const { return total * member / num_members_; }
  // Takes the next chunk for `member`; false when none is left. All calls between two resets pass
  // the same total.
  bool Take(int member, int64_t total, int64_t* begin, int64_t* end) {
    for (int i = 0; i < num_members_; ++i) {
      const int owner = (member + i) % num_members_;
      const int64_t first = First(owner, total);
      const int64_t size = First(owner + 1, total) - first;
      std::atomic<int64_t>& taken = cursors_[static_cast<size_t>(owner)].taken;
      int64_t from = taken.load(std::memory_order_relaxed);
      while (from < size) {
        const int64_t to = num_members_ == 1 ? size : from + (size - from + 2) / 3;
        if (!taken.compare_exchange_weak(from, to, std::memory_order_relaxed)) continue;
        *begin = first + from;
        *end = first + to;
        return true;
      }
    }
    return false;
  }

 private:
  struct alignas(64) Cursor {
    std::atomic<int64_t> taken{0};
  };

  int num_members_;
  std::unique_ptr<Cursor[]> cursors_;
};

}  // namespace headway
