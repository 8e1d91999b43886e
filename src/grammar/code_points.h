#pragma once

// Code points to UTF-8 and ranges of them to ranges of bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "grammar/expression.h"

namespace headway::grammar {

// Surrogates are no characters: no UTF-8 text has them.
inline bool IsScalarValue(uint32_t code_point) {
  return code_point <= kLastCodePoint && (code_point < 0xD800 || code_point > 0xDFFF);
}

// Appends the 1 to 4 bytes of a scalar value.
void AppendUtf8(uint32_t code_point, std::string* text);

struct ByteRange {
  uint8_t first = 0;
  uint8_t last = 0;  // inclusive
};

// Sequences of byte ranges that together match exactly the UTF-8 of the scalar values in `range`.
// The method of Russ Cox's RE2: cut where the number of bytes changes, then where a leading byte
// would have trailing bytes of different ranges.
std::vector<std::vector<ByteRange>> Utf8Sequences(CodeRange range);

}  // namespace headway::grammar
