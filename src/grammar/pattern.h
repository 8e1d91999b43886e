#pragma once

// Regular expressions of a schema's "pattern" as a grammar.

#include <string_view>

#include "base/result.h"
#include "grammar/expression.h"

namespace headway::grammar {

// The JSON strings, quotation marks included, whose value matches `pattern`, which must be
// anchored:
// ^...$. Understood: literals, ., classes, \d \w \s and their complements, escaped characters,
// groups, |, * + ? {m} {m,} {m,n}. Characters that JSON must escape are. Errors: kUnsupported,
// naming what was found.
Result<Expression> JsonStringMatching(std::string_view pattern);

}  // namespace headway::grammar
