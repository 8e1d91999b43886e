#pragma once

// Programs interpreted on the CPU (device/coreml/run). Inside this folder only.

#include <memory>

#include "base/thread_pool.h"
#include "device/coreml/runner.h"

namespace headway::coreml {

// `keep_bytes`: decoded weights that all its runners together may keep in memory. `pool` must
// outlive it and them.
std::unique_ptr<RunnerSource> InterpreterSource(ThreadPool* pool, int64_t keep_bytes);

}  // namespace headway::coreml
