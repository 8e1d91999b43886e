#pragma once

// Splits the vocabulary evenly over a team. Results must not depend on the split; for few tokens it
// is not made at all, since waking the team costs more than the work.

#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"

namespace headway::sampling {

// 8,192 logits are about 2 us of work; a meeting of two threads costs as much.
inline constexpr size_t kSmallestSplit = 8192;

// Calls function(thread, begin, end) once for every member of the team; the ranges are ascending
// and cover [0, total).
template <class F>
void ForEachRange(ThreadPool& pool, size_t total, const F& function) {
  const auto n = static_cast<size_t>(pool.NumThreads());
  if (total < kSmallestSplit) {
    function(size_t{0}, size_t{0}, total);
    for (size_t i = 1; i < n; ++i) function(i, total, total);
    return;
  }
  pool.Run([&](int thread) {
    const auto i = static_cast<size_t>(thread);
    function(i, total * i / n, total * (i + 1) / n);
  });
}

}  // namespace headway::sampling
