#pragma once

// A rendering as the Python tool asks for one, without a tokenizer: any template, any variables.

#include "base/result.h"
#include "jinja/template.h"

namespace headway {

// The clock stands at 2026-01-02 03:04:05.
Result<jinja::Text> RenderCase(const jinja::Template& program, const jinja::Dict& variables);

}  // namespace headway
