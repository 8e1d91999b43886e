#pragma once

// JSON as schemas need it: numbers keep their digits, members their order, and a mistake has its
// line and column. Nesting is limited, so that what walks the tree may recurse.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headway::grammar {

struct JsonValue {
  enum class Kind { kNull, kBoolean, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;
  std::string text = {};                // of a string its value, of a number its digits as written
  std::vector<JsonValue> items = {};    // of an array; of an object the members' values
  std::vector<std::string> names = {};  // of an object: names[i] belongs to items[i]

  bool Is(Kind k) const { return kind == k; }
  // The member of that name, or null.
  const JsonValue* Find(std::string_view name) const;
};

inline constexpr int kDeepestJson = 400;

// Of several members of a name the last one counts. Errors: kInvalidInput, with line and column.
Result<JsonValue> ParseJson(std::string_view text);

// A short form for messages: scalars as they are, otherwise the kind.
std::string Shown(const JsonValue& value);

// `value` between quotation marks; only what must be escaped is.
std::string QuotedJson(std::string_view value);

}  // namespace headway::grammar
