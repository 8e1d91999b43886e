#pragma once

// From the texts that a user gives to an automaton.

#include <memory>
#include <string_view>

#include "base/result.h"
#include "grammar/automaton.h"
#include "grammar/schema_options.h"

namespace headway::grammar {

// Errors: those of ParseGbnf and Automaton::Build, with "grammar: " before them.
Result<std::shared_ptr<const Automaton>> CompileGbnf(std::string_view gbnf);

// Errors: those of ParseJsonSchema and Automaton::Build, with "schema: " before them.
Result<std::shared_ptr<const Automaton>> CompileJsonSchema(std::string_view json,
                                                           const SchemaOptions& options = {});

}  // namespace headway::grammar
