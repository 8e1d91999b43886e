#pragma once

// Grammars as llama.cpp writes them (docs/grammar.md): rules "name ::= ...", literals, character
// classes, groups, alternatives and repetitions.

#include <string_view>

#include "base/result.h"
#include "grammar/expression.h"

namespace headway::grammar {

// Reads all rules. Errors: kInvalidInput, with line and column; kUnsupported for references to
// tokens (<name>). Names are resolved later (automaton.h).
Result<Rules> ParseGbnf(std::string_view text);

}  // namespace headway::grammar
