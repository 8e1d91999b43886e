// Core ML as a source of runners.

#include "device/coreml/native.h"

#import <CoreML/CoreML.h>
#include <fmt/format.h>

#include <string>

#include "device/coreml/apple/coreml_runner.h"

namespace headway::coreml {
namespace {

struct Units {
  std::string_view name;
  MLComputeUnits units;
};

// The first is meant where nobody asks: the one whose residency is judged.
constexpr Units kUnits[] = {{"cpu-and-neural-engine", MLComputeUnitsCPUAndNeuralEngine},
                            {"all", MLComputeUnitsAll},
                            {"cpu-and-gpu", MLComputeUnitsCPUAndGPU},
                            {"cpu-only", MLComputeUnitsCPUOnly}};

class CoreMlSource final : public RunnerSource {
 public:
  explicit CoreMlSource(const Units& units)
      : units_(units.units), name_(fmt::format("Core ML, {}", units.name)) {}

  std::string_view Name() const override { return name_; }
  bool IsDevice() const override { return true; }
  Result<std::unique_ptr<Runner>> Open(const LoadedProgram& program) override {
    return OpenCoreMlRunner(program, units_);
  }

 private:
  const MLComputeUnits units_;
  const std::string name_;
};

}  // namespace

Result<std::unique_ptr<RunnerSource>> NativeSource(std::string_view compute_units) {
  std::string names;
  for (const Units& units : kUnits) {
    if (compute_units.empty() || compute_units == units.name)
      return std::make_unique<CoreMlSource>(units);
    names += fmt::format("{}, ", units.name);
  }
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("compute units: expected {}interpreter or none, found '{}'", names,
                          compute_units));
}

}  // namespace headway::coreml
