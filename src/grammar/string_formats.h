#pragma once

// The values of the keyword "format" that limit a string or a number (docs/grammar.md has the list;
// all others say nothing, as the specification has it).

#include <string_view>

#include "base/result.h"
#include "grammar/dfa.h"

namespace headway::grammar {

// date, time, email and such. Null for formats that limit no string.
Result<DfaPointer> StringFormat(std::string_view format);

// int32, uint8 and such: the numbers between the type's limits. Null for others.
Result<DfaPointer> NumberFormat(std::string_view format);

}  // namespace headway::grammar
