#pragma once

// Predicted placement of a program's ops on the Neural Engine, from the rules in rules.json. A
// prediction, and labelled as one wherever it is shown: only MLComputePlan on the device knows. The
// report has the shape a measured one will have (op by op, totals, histogram), so that the two can
// be compared line by line.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "device/coreml/ir/model.h"
#include "device/coreml/place/rules.h"

namespace headway::mil {

enum class Device : uint8_t { kNeuralEngine, kCpu };

struct PlacedOp {
  int index = 0;  // among all operations of the block
  std::string type;
  std::string name;
  Device device = Device::kNeuralEngine;
  // Ids of the rules that moved it, that leave open whether it moves, that warn, and that know it
  // to stay.
  std::vector<std::string> reasons, doubts, warnings, known;
};

struct PlacementReport {
  std::string basis = "predicted";  // never anything else here; "measured" comes from MLComputePlan
  std::vector<PlacedOp> ops;        // compute ops; const and constexpr are placed with their users
  std::vector<std::string> program_reasons, program_doubts, program_warnings;
  Histogram histogram;
  int64_t compute_on_engine = 0;  // doubtful ones among them
  int64_t compute_doubtful = 0;
  int64_t convs_on_engine = 0;
  int64_t weight_bytes = 0;

  // Nothing moves any op; whether one moves may be open.
  bool FullyResident() const { return compute_on_engine == histogram.num_compute; }
};

struct PlacementOptions {
  Platform platform = Platform::kMacos;
  // Instead of the sum over the program's blobs.
  std::optional<int64_t> weight_bytes = std::nullopt;
};

// Errors: a function that does not verify.
Result<PlacementReport> PredictPlacement(
    const Function& function, const PlacementOptions& options,
    const std::vector<PlacementRule>& rules = BuiltInPlacementRules());

// As a table with the reasons and their evidence, beginning with the word "predicted".
std::string PrintPlacement(const PlacementReport& report,
                           const std::vector<PlacementRule>& rules = BuiltInPlacementRules());

// As JSON: {"basis": "predicted", "compute_total", "compute_ane", "conv_total", "conv_ane",
// "histogram", "ops": [...]}.
std::string FormatPlacementJson(const PlacementReport& report);

}  // namespace headway::mil
