#include "lmhead/certificate_mode.h"

#include <fmt/format.h>

#include <charconv>

namespace headway::lmhead {

Result<CertificateMode> ParseCertificateMode(const std::string& text) {
  CertificateMode mode;
  if (text == "deterministic") {
    mode.deterministic = true;
    return mode;
  }
  const std::string name = "probabilistic";
  if (text == name) return mode;
  if (text.rfind(name + ":", 0) == 0) {
    const char* begin = text.data() + name.size() + 1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, mode.delta);
    if (error == std::errc{} && stop == end && mode.delta > 0.0 && mode.delta <= kLargestDelta) {
      return mode;
    }
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("certificate: expected a failure probability above 0 and at most {}, "
                            "found '{}'",
                            kLargestDelta, begin));
  }
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("certificate: expected deterministic or probabilistic:DELTA, found '{}'", text));
}

std::string ToString(const CertificateMode& mode) {
  return mode.deterministic ? "deterministic" : fmt::format("probabilistic:{}", mode.delta);
}

}  // namespace headway::lmhead
