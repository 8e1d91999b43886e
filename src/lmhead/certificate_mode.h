#pragma once

// What a certified head promises: deterministically, or with failure probability delta a token.

#include <string>

#include "base/result.h"

namespace headway::lmhead {

inline constexpr double kDefaultDelta = 1e-9;
inline constexpr double kLargestDelta = 0.1;

struct CertificateMode {
  bool deterministic = false;
  double delta = kDefaultDelta;  // total per token, over all stages
  // Multiplies every radius. For tests, which must be able to fail: anything below 1 voids the
  // certificate.
  double radius_scale = 1.0;

  friend bool operator==(const CertificateMode&, const CertificateMode&) = default;
};

// "deterministic", "probabilistic", "probabilistic:1e-12". Errors: kInvalidInput, with what was
// expected; a delta outside (0, 0.1] among them.
Result<CertificateMode> ParseCertificateMode(const std::string& text);
std::string ToString(const CertificateMode& mode);

}  // namespace headway::lmhead
