#pragma once

// Whether a package may be used at all.

#include <string>

#include "headway/result.h"

namespace headway::cli {

// Whether the package `model` was gated. What the cache makes from a GGUF counts as such: nobody
// else made it. Errors: kGateFailed, unless `allow_ungated`.
Result<bool> CheckGates(const std::string& model, const std::string& kv, bool allow_ungated);

}  // namespace headway::cli
