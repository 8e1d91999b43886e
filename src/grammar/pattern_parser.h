#pragma once

// Reads a regular expression into a tree. Only pattern.cc needs it.

#include <string_view>

#include "base/result.h"
#include "grammar/expression.h"

namespace headway::grammar {

// Classes, sequences, choices and repetitions; the anchors are the texts "^" and "$".
Result<Expression> ParsePattern(std::string_view pattern);

}  // namespace headway::grammar
