// Systems without Core ML.

#include "device/coreml/native.h"

#include <fmt/format.h>

namespace headway::coreml {

Result<std::unique_ptr<RunnerSource>> NativeSource(std::string_view compute_units) {
  if (compute_units.empty()) return std::unique_ptr<RunnerSource>();
  return Fail(ErrorCode::kUnsupported,
              fmt::format("compute units: this system has no Core ML and interprets its programs: "
                          "expected 'interpreter' or none, found '{}'",
                          compute_units));
}

}  // namespace headway::coreml
