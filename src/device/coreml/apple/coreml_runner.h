#pragma once

// Programs that Core ML runs. Inside this folder only.

#import <CoreML/CoreML.h>

#include <memory>

#include "base/result.h"
#include "device/coreml/runner.h"

namespace headway::coreml {

// Compiles and loads the package of `program`, which must outlive the runner, and compares what Core
// ML says of its inputs, outputs and states with what the package says. Errors: kIo (Core ML does
// not compile or load it), kCorrupt (it sees another program).
Result<std::unique_ptr<Runner>> OpenCoreMlRunner(const LoadedProgram& program,
                                                 MLComputeUnits units);

}  // namespace headway::coreml
