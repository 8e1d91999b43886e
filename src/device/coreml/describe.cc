#include "device/coreml/describe.h"

#include "device/coreml/ir/printer.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/package/package.h"
#include "device/coreml/place/predict.h"

namespace headway::coreml {

Result<ShardDescription> Describe(const std::string& path) {
  HW_TRY(const mil::Package package, mil::ReadPackageUnverified(path));
  ShardDescription description{.form = "Core ML package",
                               .weight_bytes = package.weights.SizeBytes(),
                               .text = mil::PrintModel(package.model),
                               .problem = "",
                               .functions = {}};
  const Result<void> verified = mil::VerifyModel(package.model, &package.weights);
  if (!verified) {
    description.problem = verified.error().message;
    return description;
  }
  for (const auto& [name, function] : package.model.program.functions) {
    HW_TRY(const mil::PlacementReport report,
           mil::PredictPlacement(
               function, {.weight_bytes = static_cast<int64_t>(package.weights.SizeBytes())}));
    description.functions.push_back({.name = name,
                                     .text = mil::PrintPlacement(report),
                                     .json = mil::FormatPlacementJson(report)});
  }
  return description;
}

}  // namespace headway::coreml
