#include "engine/devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "device/coreml/coreml_device.h"
#include "device/cpu/cpu_device.h"

namespace headway {
namespace {

constexpr std::array kDevices = {&cpu::kDevice, &coreml::kDevice};

}  // namespace

Result<const Device*> FindDevice(std::string_view name) {
  std::string available;
  for (const Device* const device : kDevices) {
    if (device->traits.name == name) return device;
    available += fmt::format("{}{}", available.empty() ? "" : ", ", device->traits.name);
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("device '{}': not in this build (available: {})", name, available));
}

const Device* DeviceOfPackage(const std::string& path) {
  const auto* const found =
      std::find_if(kDevices.begin(), kDevices.end(), [&](const Device* device) {
        return device->is_package != nullptr && device->is_package(path);
      });
  return found == kDevices.end() ? nullptr : *found;
}

Result<std::unique_ptr<Emitter>> MakeEmitterFor(const std::string& device,
                                                const DeviceOptions& options) {
  HW_TRY(const Device* const found, FindDevice(device));
  return found->new_emitter(options);
}

}  // namespace headway
