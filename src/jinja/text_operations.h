#pragma once

// What methods and filters of text share. Every operation keeps the marks of what it keeps.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "jinja/text.h"
#include "jinja/value.h"

namespace headway::jinja {

// Without the characters of `characters` at its ends, white space when null.
Text Stripped(const Text& text, const std::string* characters, bool left, bool right);

// Python's split: at `separator`, or at white space when null; at most `most` times unless negative,
// counted from the end with `from_end`.
std::vector<ByteSpan> SplitSpans(std::string_view text, const std::string* separator, int64_t most,
                                 bool from_end);

struct LineSpan {
  size_t begin = 0;
  size_t end = 0;   // of its text
  size_t next = 0;  // behind its line break
};
// Python's splitlines.
std::vector<LineSpan> LineSpans(std::string_view text);

// Every `from` becomes `to`, at most `most` times unless negative. What takes the place of foreign
// bytes is foreign: a message must not choose where a control token goes.
Result<Text> Replaced(const Text& text, const std::string& from, const Text& to, int64_t most,
                      Budget* budget);

// Python's str.isupper() and islower().
bool IsAllCase(std::string_view text, bool upper);

}  // namespace headway::jinja
