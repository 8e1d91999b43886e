#pragma once

// Values as text: Python's str() and repr(), and JSON as Hugging Face's tojson writes it.

#include <string>

#include "base/result.h"
#include "jinja/value.h"

namespace headway::jinja {

// What `{{ value }}` prints. Errors: the budget's; a namespace within itself.
Result<Text> ToText(const Value& value, Budget* budget);
// As it is printed inside of a list.
Result<Text> Repr(const Value& value, Budget* budget);

struct JsonStyle {
  bool ascii = false;  // other characters as \uXXXX
  bool lines = false;  // a line an item, indented
  std::string indent;  // of one level
  std::string between = ", ";
  std::string after_name = ": ";
  bool sorted = false;
};

// json.dumps(): nothing is escaped for HTML. Errors: what JSON has no form for, by its type.
Result<Text> ToJson(const Value& value, const JsonStyle& style, Budget* budget);

// As Python's repr(float): the shortest digits that read back equal.
std::string FloatText(double value);

}  // namespace headway::jinja
