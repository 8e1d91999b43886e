#pragma once

// "1,4" and "1..4": how --batch-tokens names the widths that programs are made for.

#include <string>
#include <vector>

#include "base/result.h"
#include "device/device.h"

namespace headway::compile {

inline constexpr int64_t kMaxStepTokens = 64;

// Empty text: one token a step. Errors: kInvalidInput (no number from 1 to kMaxStepTokens, a width
// twice).
Result<std::vector<StepWidth>> ParseStepWidths(const std::string& text);

}  // namespace headway::compile
