#pragma once

// What this machine's memory can deliver to plain reading: the floor that every decode step is held
// against.

#include <cstdint>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"

namespace headway::measure {

// Reads a buffer larger than the last-level cache with all threads of a team.
class ReadBandwidth {
 public:
  // Touches `size_bytes` (rounded up to 1 MiB) once, so that every page exists.
  explicit ReadBandwidth(int64_t size_bytes);

  // Bytes per second of one pass over the buffer, split evenly in contiguous parts as weights are.
  double Measure(ThreadPool* pool);

  int64_t SizeBytes() const { return size_bytes_; }

 private:
  int64_t size_bytes_;
  AlignedBuffer buffer_;
  uint64_t sink_ = 0;  // keeps the reads alive
};

// A buffer size that no cache holds: 512 MiB.
inline constexpr int64_t kBandwidthBytes = int64_t{512} << 20;

}  // namespace headway::measure
