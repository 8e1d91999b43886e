#pragma once

// The list of devices: the only place that knows all of them.

#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "device/device.h"
#include "headway/engine.h"

namespace headway {

struct OpenedModel;

// What `pack` may ask of a device; what a device does not know is refused.
struct DeviceOptions {
  std::string weights = {};    // coreml: "int8" (default), "fp16", "lut4", ...
  std::string states = {};     // coreml: "per-layer" (default), "unified"
  std::string attention = {};  // coreml: "per-head" (default), "batched"
  int64_t head_splits = 0;     // coreml: convolutions of a head shard; 0: 1
  std::optional<float> norm_prescale = std::nullopt;  // coreml: factor before squares
  ThreadPool* pool = nullptr;                         // what encodes weights; null: one thread
};

// The emitter of a device. Errors: kUnsupported, naming the devices of this build; kInvalidInput.
Result<std::unique_ptr<Emitter>> MakeEmitterFor(const std::string& device,
                                                const DeviceOptions& options = {});

// What runs the shards of a package for `device`, on the model's threads and kernels. A coreml
// package is interpreted: there is no Core ML on this kind of machine.
std::unique_ptr<Backend> MakeBackendFor(const std::string& device, const OpenedModel& model,
                                        LoadWeights load);

}  // namespace headway
