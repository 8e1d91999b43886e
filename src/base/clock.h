#pragma once

// Nanoseconds of a monotonic clock, for the counters. About 20 ns a call.

#include <chrono>
#include <cstdint>

namespace headway {

inline uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

}  // namespace headway
