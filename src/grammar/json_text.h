#pragma once

// The parts of JSON that every schema is made of. Spelled as llama.cpp spells them, so that a text
// that one of the two allows the other allows.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/expression.h"

namespace headway::grammar {

// The deepest nesting of braces and brackets in a text that may be no JSON: the library copies and
// prints values by recursion, so it must be limited first.
int JsonNesting(std::string_view json);

// Nothing, a blank, or a new line with up to 20 blanks and tabs.
Expression JsonSpace();
// A character of a JSON string, escaped where it must be.
Expression JsonCharacter();
// `least` to `most` characters (Expression::kNoLimit) between quotation marks.
Expression JsonString(int64_t least, int64_t most);
Expression JsonInteger();
Expression JsonNumber();
// Any value: the rules "value", "object", "array", "string" and "number", which AddJsonValueRules
// adds.
Expression JsonValue();
void AddJsonValueRules(Rules* rules);

// Strings that are none of `names` (texts without quotation marks), written without escapes.
Expression JsonStringExcept(const std::vector<std::string>& names);

// What a string of the given format looks like: date, time, date-time, uuid. False for others.
bool JsonStringFormat(const std::string& format, Expression* string);

// The whole numbers from `least` to `most`; null: no limit. least <= most.
Expression JsonIntegerRange(const int64_t* least, const int64_t* most);

}  // namespace headway::grammar
