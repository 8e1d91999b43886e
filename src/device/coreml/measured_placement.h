#pragma once

// Where a device says that it runs a program's ops, in the shape of the prediction and beside it.
// Inside this folder only.

#include <optional>
#include <string>
#include <vector>

#include "device/coreml/place/predict.h"
#include "device/residency.h"

namespace headway::coreml {

// An op of the program as the device tells of it (MLComputePlan).
struct MeasuredOp {
  std::string type;                    // "ios18.conv", or without the opset
  std::string output;                  // the first value that it makes; empty: none
  std::string where;                   // "neural engine", "gpu", "cpu"; empty: it does not tell
  std::vector<std::string> supported;  // where it could run
  std::optional<double> cost;
};

// The ops of `function` that are measured, each counted; what was predicted stands beside it. An op
// of which the device does not tell where it runs counts only if it multiplies matrices: the others
// may be none to it (a reshape). `ops`: all of the program, constants among them.
Residency MeasuredResidency(const mil::Function& function, const mil::PlacementReport& predicted,
                            const std::vector<MeasuredOp>& ops);

}  // namespace headway::coreml
