#include "lab/measure/bandwidth.h"

#include <array>
#include <chrono>
#include <cstring>

#include "base/stretch_queue.h"

namespace headway::measure {
namespace {

constexpr int64_t kChunkBytes = int64_t{1} << 20;

// XOR of a range as 64-bit words. Eight independent sums keep the load ports busy: the loop runs
// several times faster than memory delivers, so it measures memory.
uint64_t XorWords(const uint64_t* words, int64_t count) {
  std::array<uint64_t, 8> sums{};
  for (int64_t i = 0; i < count; i += 8) {
    for (size_t k = 0; k < 8; ++k) sums[k] ^= words[i + static_cast<int64_t>(k)];
  }
  uint64_t total = 0;
  for (const uint64_t sum : sums) total ^= sum;
  return total;
}

}  // namespace

ReadBandwidth::ReadBandwidth(int64_t size_bytes)
    : size_bytes_((size_bytes + kChunkBytes - 1) / kChunkBytes * kChunkBytes),
      buffer_(static_cast<size_t>(size_bytes_)) {
  std::memset(buffer_.data(), 1, buffer_.SizeBytes());
}

double ReadBandwidth::Measure(ThreadPool* pool) {
  using Clock = std::chrono::steady_clock;
  // As products take their tiles: a stretch of its own for each thread. From one queue of chunks
  // two threads jump over each other, which costs half of the rate at times.
  StretchQueue queue(pool->NumThreads());
  std::atomic<uint64_t> sink{sink_};
  const auto start = Clock::now();
  pool->Run([&](int thread) {
    int64_t begin = 0;
    int64_t end = 0;
    uint64_t sum = 0;
    while (queue.Take(thread, size_bytes_ / kChunkBytes, &begin, &end)) {
      const auto* words = reinterpret_cast<const uint64_t*>(buffer_.data() + begin * kChunkBytes);
      sum ^= XorWords(words, (end - begin) * kChunkBytes / 8);
    }
    sink.fetch_xor(sum);
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  sink_ = sink.load();
  return static_cast<double>(size_bytes_) / seconds;
}

}  // namespace headway::measure
