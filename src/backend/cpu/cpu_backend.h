#pragma once

// The cpu device: loads shard files and runs them on a team of threads with the kernels of this
// processor.

#include <memory>
#include <string_view>

#include "backend/backend.h"
#include "base/thread_pool.h"
#include "kernels/kernel_set.h"

namespace headway::cpu {

// `pool` and `kernels` must outlive the backend and everything it loads.
std::unique_ptr<Backend> MakeCpuBackend(const kernels::SelectedKernels* kernels, ThreadPool* pool);

}  // namespace headway::cpu
