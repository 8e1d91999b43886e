#include "chat/json_values.h"

#include <charconv>
#include <utility>

#include "base/from_chars.h"
#include "base/quoted.h"
#include "grammar/json_value.h"

namespace headway::chat {
namespace {

using grammar::JsonValue;
using jinja::Text;
using jinja::Value;

Result<Value> Number(const std::string& digits) {
  const char* first = digits.data();
  const char* last = first + digits.size();
  if (digits.find_first_of(".eE") == std::string::npos) {
    int64_t integer = 0;
    if (std::from_chars(first, last, integer).ec == std::errc()) return Value::Of(integer);
    return Fail(ErrorCode::kInvalidInput,
                "expected integers of 64 bits, found " + PrintableWords(digits));
  }
  double real = 0.0;
  if (FromChars(first, last, real).ec == std::errc()) return Value::Of(real);
  return Fail(ErrorCode::kInvalidInput,
              "expected numbers that a float can hold, found " + PrintableWords(digits));
}

Result<Value> Converted(const JsonValue& json) {
  switch (json.kind) {
    case JsonValue::Kind::kNull:
      return Value::OfNone();
    case JsonValue::Kind::kBoolean:
      return Value::Of(json.boolean);
    case JsonValue::Kind::kNumber:
      return Number(json.text);
    case JsonValue::Kind::kString:
      return Value::Of(Text(json.text, true));
    case JsonValue::Kind::kArray: {
      jinja::List list;
      for (const JsonValue& item : json.items) {
        HW_TRY(Value value, Converted(item));
        list.items.push_back(std::move(value));
      }
      return Value::Of(std::move(list));
    }
    case JsonValue::Kind::kObject: {
      jinja::Dict dict;  // names are unique already
      for (size_t i = 0; i < json.names.size(); ++i) {
        HW_TRY(Value value, Converted(json.items[i]));
        dict.entries.emplace_back(Value::Of(Text(json.names[i], true)), std::move(value));
      }
      return Value::Of(std::move(dict));
    }
  }
  return Value::OfNone();
}

}  // namespace

Result<Value> ValueFromJson(std::string_view json) {
  HW_TRY(const JsonValue value, grammar::ParseJson(json));
  return Converted(value);
}

}  // namespace headway::chat
