#include "device/coreml/apple/compute_plan.h"

#include "device/coreml/apple/foundation.h"
#include "device/coreml/apple/owned.h"
#include "device/coreml/waiting.h"

namespace headway::coreml {
namespace {

std::string NameOf(id<MLComputeDeviceProtocol> device_or_nil) {
  if (device_or_nil == nil) return "";
  if ([device_or_nil isKindOfClass:[MLNeuralEngineComputeDevice class]]) return "neural engine";
  if ([device_or_nil isKindOfClass:[MLGPUComputeDevice class]]) return "gpu";
  if ([device_or_nil isKindOfClass:[MLCPUComputeDevice class]]) return "cpu";
  return FromNs(NSStringFromClass([device_or_nil class]));
}

MeasuredOp Measure(MLComputePlan* plan, MLModelStructureProgramOperation* operation) {
  MeasuredOp op{.type = FromNs([operation operatorName]),
                .output = "",
                .where = "",
                .supported = {},
                .cost = std::nullopt};
  if ([[operation outputs] count] > 0)
    op.output = FromNs([[[operation outputs] objectAtIndex:0] name]);
  MLComputePlanDeviceUsage* const usage = [plan computeDeviceUsageForMLProgramOperation:operation];
  if (usage != nil) {
    op.where = NameOf([usage preferredComputeDevice]);
    for (id<MLComputeDeviceProtocol> device in [usage supportedComputeDevices])
      op.supported.push_back(NameOf(device));
  }
  MLComputePlanCost* const cost = [plan estimatedCostOfMLProgramOperation:operation];
  if (cost != nil) op.cost = [cost weight];
  return op;
}

Result<Owned<MLComputePlan*>> LoadPlan(const std::string& path,
                                       MLModelConfiguration* configuration) {
  const Waiting<Owned<MLComputePlan*>> loaded;
  void (^const finished)(MLComputePlan*, NSError*) = ^(MLComputePlan* plan, NSError* error) {
    @autoreleasepool {
      if (plan != nil) {
        loaded.Resolve(Owned<MLComputePlan*>::Retain(plan));
      } else {
        loaded.Resolve(CoreMlFailed("could not plan", error));
      }
    }
  };
  const Result<void> begun = Guarded("could not plan", [&]() -> Result<void> {
    [MLComputePlan loadContentsOfURL:FileUrl(path)
                       configuration:configuration
                   completionHandler:finished];
    return {};
  });
  if (!begun) return tl::unexpected<Error>(begun.error());
  return loaded.Wait();
}

}  // namespace

Result<std::vector<MeasuredOp>> ReadComputePlan(const std::string& path,
                                                const std::string& function,
                                                MLModelConfiguration* configuration) {
  @autoreleasepool {
    HW_TRY(const Owned<MLComputePlan*> plan, LoadPlan(path, configuration));
    std::vector<MeasuredOp> ops;
    HW_TRY_VOID(Guarded("could not read its plan", [&]() -> Result<void> {
      MLModelStructureProgram* const program = [[plan.Get() modelStructure] program];
      MLModelStructureProgramFunction* const main =
          [[program functions] objectForKey:ToNs(function)];
      if (main == nil) {
        return Fail(ErrorCode::kIo, "Core ML: its plan: expected an ML program with a function '" +
                                        function + "', found none");
      }
      for (MLModelStructureProgramOperation* operation in [[main block] operations])
        ops.push_back(Measure(plan.Get(), operation));
      return {};
    }));
    return ops;
  }
}

}  // namespace headway::coreml
