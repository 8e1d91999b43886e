#pragma once

// The list of devices: the only place that knows all of them. Their names are looked up here, once;
// everybody else goes by traits and capabilities (device/device.h).

#include <memory>
#include <string>

#include "base/result.h"
#include "device/device.h"
#include "device/emitter.h"

namespace headway {

// What packages are made for when nobody asks for a device.
inline constexpr const char* kDefaultDevice = "cpu";

// Lives for ever. Errors: kUnsupported, naming the devices of this build.
Result<const Device*> FindDevice(std::string_view name);

// The device whose own package, made by it or by others, stands at `path`; null: none's.
const Device* DeviceOfPackage(const std::string& path);

// The emitter of a device. Errors: as above; kInvalidInput (options that it does not have).
Result<std::unique_ptr<Emitter>> MakeEmitterFor(const std::string& device,
                                                const DeviceOptions& options = {});

}  // namespace headway
