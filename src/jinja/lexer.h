#pragma once

// The words of a template, with Jinja's rules of white space as Hugging Face sets them: a line
// break after a block tag goes (trim_blocks), so do the blanks before one at a line's start
// (lstrip_blocks), `-` strips and `+` keeps. Comments and raw blocks end here.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headway::jinja {

// Of the source, both from 1; a column is a character.
struct Place {
  int line = 1;
  int column = 1;
};

// "line 3, column 7: ".
std::string At(Place place);

struct Token {
  enum class Kind {
    kData,
    kOutputBegin,
    kOutputEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  };
  Kind kind = Kind::kEnd;
  std::string text = {};  // of data, names, operators; of strings their value
  int64_t integer = 0;
  double real = 0.0;
  Place place = {};
};

inline constexpr size_t kMostTemplateBytes = size_t{4} << 20;

// The last token is kEnd. Errors: kInvalidInput with line and column.
Result<std::vector<Token>> Tokenize(std::string_view source);

// For messages: 'endif', the end of the template.
std::string Described(const Token& token);

}  // namespace headway::jinja
