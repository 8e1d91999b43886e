#pragma once

// A JSON schema as a grammar for the texts it describes (docs/grammar.md has the list of keywords).

#include <string_view>

#include "base/result.h"
#include "grammar/expression.h"

namespace headway::grammar {

// Errors: kInvalidInput (no JSON, a keyword with a value it cannot have), kUnsupported (a keyword
// that would have to be ignored, named with its place).
Result<Rules> ParseJsonSchema(std::string_view json);

}  // namespace headway::grammar
