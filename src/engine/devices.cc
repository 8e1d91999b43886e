#include "engine/devices.h"

#include <fmt/format.h>

#include <algorithm>

#include "device/coreml/coreml_backend.h"
#include "device/coreml/emitter.h"
#include "device/cpu/cpu_backend.h"
#include "device/cpu/emitter.h"
#include "engine/open.h"

namespace headway {
namespace {

cpu::LoadMode LoadModeOf(LoadWeights load) {
  switch (load) {
    case LoadWeights::kAuto:
      return cpu::LoadMode::kAuto;
    case LoadWeights::kMap:
      return cpu::LoadMode::kMap;
    case LoadWeights::kCopy:
      return cpu::LoadMode::kCopy;
  }
  return cpu::LoadMode::kAuto;
}

// One of two words; the first is the default.
Result<bool> SecondOf(const char* flag, const std::string& text, const char* first,
                      const char* second) {
  if (text.empty() || text == first) return false;
  if (text == second) return true;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{}: expected {} or {}, found '{}'", flag, first, second, text));
}

Result<std::unique_ptr<Emitter>> MakeCoremlEmitter(const DeviceOptions& options) {
  coreml::EmitterOptions emitter;
  HW_TRY(emitter.weights,
         coreml::ParseWeightFormat(options.weights.empty() ? "int8" : options.weights));
  HW_TRY(const bool unified, SecondOf("--states", options.states, "per-layer", "unified"));
  HW_TRY(const bool batched, SecondOf("--attention", options.attention, "per-head", "batched"));
  emitter.states = unified ? mil::StateLayout::kUnified : mil::StateLayout::kPerLayer;
  emitter.attention = batched ? mil::AttentionForm::kBatched : mil::AttentionForm::kPerHead;
  if (options.head_splits < 0) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--head-split: expected 1 or more, found {}", options.head_splits));
  }
  emitter.head_splits = std::max<int64_t>(1, options.head_splits);
  emitter.norm_prescale = options.norm_prescale.value_or(0.0F);
  if (options.norm_prescale &&
      !(emitter.norm_prescale > 0.0F && emitter.norm_prescale <= 1024.0F)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("--norm-prescale: expected a number above 0 and at most 1024, found {}",
                            emitter.norm_prescale));
  }
  return coreml::MakeEmitter(emitter, options.pool);
}

}  // namespace

Result<std::unique_ptr<Emitter>> MakeEmitterFor(const std::string& device,
                                                const DeviceOptions& options) {
  if (device == "coreml") return MakeCoremlEmitter(options);
  if (device != "cpu") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("device '{}': not in this build (available: cpu, coreml)", device));
  }
  const bool asked = !options.weights.empty() || !options.states.empty() ||
                     !options.attention.empty() || options.head_splits != 0 ||
                     options.norm_prescale;
  if (asked) {
    return Fail(
        ErrorCode::kInvalidInput,
        "--weights, --states, --attention, --head-split, --norm-prescale: expected --device "
        "coreml beside them, found cpu, which stores weights as the model file has them");
  }
  return cpu::MakeEmitter();
}

std::unique_ptr<Backend> MakeBackendFor(const std::string& device, const OpenedModel& model,
                                        LoadWeights load) {
  if (device == "coreml") return coreml::MakeInterpretedBackend(model.pool.get());
  return cpu::MakeCpuBackend(model.kernels.get(), model.pool.get(), LoadModeOf(load));
}

}  // namespace headway
