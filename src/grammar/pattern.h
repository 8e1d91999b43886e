#pragma once

// Regular expressions of schemas ("pattern", "patternProperties") as sets of texts.

#include <string_view>

#include "base/result.h"
#include "grammar/dfa.h"

namespace headway::grammar {

// The texts in which `pattern` finds something, as ECMA-262 with the flag u has it: anywhere, unless
// ^ and $ say where. Understood: literals, ., classes, \d \w \s and their complements, escapes,
// groups without look-around, |, and * + ? {m} {m,} {m,n}, lazy ones too (they match the same
// texts). Errors: kUnsupported, naming what was found (look-around, references back, \b, \p).
Result<DfaPointer> TextsMatching(std::string_view pattern);

}  // namespace headway::grammar
