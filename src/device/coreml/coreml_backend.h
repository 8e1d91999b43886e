#pragma once

// Runs coreml shards where there is no Core ML: the packages are read, checked, and interpreted on
// the CPU (device/coreml/run), every value rounded to fp16 after each op. What it computes is what the
// program says, not what a Neural Engine's own arithmetic would give.

#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "device/device.h"

namespace headway::coreml {

// `pool` must outlive the backend and everything it loads. Loads .mlpackage directories (layers and
// heads as device/coreml/emitter.h writes them) and .gguf files (embeddings). Its executables
// allocate in Run(), unlike the other devices'.
std::unique_ptr<Backend> MakeInterpretedBackend(ThreadPool* pool);

// Decoded weights that one backend keeps in memory; what does not fit is decoded at each use.
inline constexpr int64_t kKeptWeightBytes = int64_t{2} << 30;

}  // namespace headway::coreml
