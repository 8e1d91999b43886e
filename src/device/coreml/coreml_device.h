#pragma once

// The coreml device. Packages are read and checked; where there is Core ML it runs them (apple/),
// elsewhere, or when asked to, the interpreter does (device/coreml/run), every value rounded to fp16
// after each op. What that computes is what the program says, not what a Neural Engine's own
// arithmetic would give.

#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "device/device.h"

namespace headway::coreml {

extern const Device kDevice;

// Loads .mlpackage directories (layers and heads as device/coreml/emitter.h writes them) and .gguf
// files (embeddings), and interprets them. Shards of this device allocate in Run(), unlike the other
// devices'. `pool` must outlive the loader and everything it loads.
std::unique_ptr<ShardLoader> MakeInterpretingLoader(ThreadPool* pool);

// Decoded weights that one loader keeps in memory; what does not fit is decoded at each use.
inline constexpr int64_t kKeptWeightBytes = int64_t{2} << 30;

}  // namespace headway::coreml
