#pragma once

// The cpu device: loads shard files and runs them on a team of threads with the kernels of this
// processor.

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/thread_pool.h"
#include "device/device.h"
#include "kernels/kernel_set.h"

namespace headway::cpu {

// How weights come into memory.
enum class LoadMode : uint8_t {
  kAuto,  // kCopy for shards of 4 MiB and more when that much memory is free twice over, else kMap
  // Read in place from the mapped file: opens at once, shares memory between processes.
  kMap,
  // Into huge pages: opens at the disk's or page cache's speed, then reads at the memory's full
  // speed.
  kCopy,
};

// `pool` and `kernels` must outlive the backend and everything it loads.
std::unique_ptr<Backend> MakeCpuBackend(const kernels::SelectedKernels* kernels, ThreadPool* pool,
                                        LoadMode mode);

}  // namespace headway::cpu
