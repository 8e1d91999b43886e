#pragma once

// A JSON schema as a grammar for the texts it describes (docs/grammar.md has the list of keywords).

#include <string_view>

#include "base/result.h"
#include "grammar/expression.h"
#include "grammar/schema_options.h"

namespace headway::grammar {

// Errors: kInvalidInput (no JSON, a keyword with a value it cannot have), kUnsupported (what no
// grammar here can honour exactly, named with its place).
Result<Rules> ParseJsonSchema(std::string_view json, const SchemaOptions& options = {});

}  // namespace headway::grammar
