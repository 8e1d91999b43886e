#pragma once

// Builds the planes of an LM head from its rows: rotates, quantises, bounds the errors. Used by the
// pack driver and by tests.

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "kernels/plane_layout.h"
#include "lmhead/random_bits.h"
#include "tensor/tensor_view.h"

namespace headway::lmhead {

struct BuildOptions {
  RotationSeed seed;
  // Common directions [k, D], found before; nothing: those of the rows alone, so many at most.
  std::optional<std::vector<float>> directions = std::nullopt;
  int64_t most_directions = kernels::kMaxDirections;
  std::string rows_digest;  // 32 hexadecimal digits: what Planes::Open() will ask for
  // Called by one thread now and then with the rows done so far; may be empty.
  std::function<void(int64_t rows)> progress = nullptr;
  const std::atomic<bool>* cancelled_or_null = nullptr;
};

// The bytes of a planes file for `rows` [V, D] of any weight type. Memory: the file (0.40 of the
// 8-bit head), 2 MB a thread and what FindDirections() takes. Does not depend on the number of
// threads. Errors: kUnsupported (D out of range), kCorrupt (weights that are not finite),
// kCancelled.
Result<AlignedBuffer> BuildPlanes(const ConstTensorView& rows, const BuildOptions& options,
                                  ThreadPool* pool);

}  // namespace headway::lmhead
