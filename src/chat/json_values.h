#pragma once

// JSON from outside as a template's values. Every string in it, names too, is foreign text.

#include <string_view>

#include "base/result.h"
#include "jinja/value.h"

namespace headway::chat {

// Errors: kInvalidInput (no JSON, with line and column; an integer beyond 64 bits).
Result<jinja::Value> ValueFromJson(std::string_view json);

}  // namespace headway::chat
