#pragma once

// Core ML itself, where this system has it: apple/ defines this on a Mac, elsewhere/ on the others.
// Inside this folder only.

#include <memory>
#include <string_view>

#include "base/result.h"
#include "device/coreml/runner.h"

namespace headway::coreml {

// Runners of Core ML; null: there is no Core ML here. `compute_units`: "all",
// "cpu-and-neural-engine" (also when empty), "cpu-and-gpu" or "cpu-only". Errors: kInvalidInput
// (another name), kUnsupported (a name where there is no Core ML).
Result<std::unique_ptr<RunnerSource>> NativeSource(std::string_view compute_units);

}  // namespace headway::coreml
