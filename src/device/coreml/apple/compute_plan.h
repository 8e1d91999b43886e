#pragma once

// What Core ML says of where it runs a program's ops. Inside this folder only.

#import <CoreML/CoreML.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "device/coreml/measured_placement.h"

namespace headway::coreml {

// Every op of `function` of the compiled model at `path`, in order, as MLComputePlan has it. Errors:
// kIo.
Result<std::vector<MeasuredOp>> ReadComputePlan(const std::string& path,
                                                const std::string& function,
                                                MLModelConfiguration* configuration);

}  // namespace headway::coreml
