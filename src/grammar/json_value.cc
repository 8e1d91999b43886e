#include "grammar/json_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/utf8.h"
#include "grammar/code_points.h"

namespace headway::grammar {
namespace {

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Result<JsonValue> Run() {
    HW_TRY(JsonValue value, ParseValue(0));
    SkipBlanks();
    if (at_ < text_.size()) return Wrong("the end");
    return value;
  }

 private:
  tl::unexpected<Error> Wrong(const std::string& expected) const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t line_end = before.rfind('\n');
    const size_t column = line_end == std::string_view::npos ? at_ + 1 : at_ - line_end;
    std::string found = "the end";
    if (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      found = c > 0x20 && c < 0x7F ? fmt::format("'{}'", text_[at_])
                                   : fmt::format("the byte {:#04x}", static_cast<unsigned>(c));
    }
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("line {}, column {}: expected JSON ({}), found {}", line, column,
                            expected, found));
  }

  void SkipBlanks() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string::npos)
      ++at_;
  }
  bool Take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }

  Result<JsonValue> ParseValue(int depth) {
    if (depth > kDeepestJson)
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("expected JSON of at most {} levels, found more", kDeepestJson));
    SkipBlanks();
    JsonValue value;
    if (Take("{")) return ParseObject(depth);
    if (Take("[")) return ParseArray(depth);
    if (Take("\"")) {
      value.kind = JsonValue::Kind::kString;
      HW_TRY(value.text, ParseString());
      return value;
    }
    if (Take("null")) return value;
    if (Take("true") || Take("false")) {
      value.kind = JsonValue::Kind::kBoolean;
      value.boolean = text_[at_ - 2] == 'u';
      return value;
    }
    return ParseNumber();
  }

  Result<JsonValue> ParseArray(int depth) {
    JsonValue value;
    value.kind = JsonValue::Kind::kArray;
    SkipBlanks();
    if (Take("]")) return value;
    do {
      HW_TRY(JsonValue item, ParseValue(depth + 1));
      value.items.push_back(std::move(item));
      SkipBlanks();
    } while (Take(","));
    if (!Take("]")) return Wrong("',' or ']'");
    return value;
  }

  Result<JsonValue> ParseObject(int depth) {
    JsonValue value;
    value.kind = JsonValue::Kind::kObject;
    std::unordered_map<std::string, size_t> places;
    SkipBlanks();
    if (Take("}")) return value;
    do {
      SkipBlanks();
      if (!Take("\"")) return Wrong("a name in quotation marks");
      HW_TRY(std::string name, ParseString());
      SkipBlanks();
      if (!Take(":")) return Wrong("':'");
      HW_TRY(JsonValue member, ParseValue(depth + 1));
      const auto [place, is_new] = places.try_emplace(name, value.items.size());
      if (is_new) {
        value.names.push_back(std::move(name));
        value.items.push_back(std::move(member));
      } else {
        value.items[place->second] = std::move(member);
      }
      SkipBlanks();
    } while (Take(","));
    if (!Take("}")) return Wrong("',' or '}'");
    return value;
  }

  Result<JsonValue> ParseNumber() {
    const size_t begin = at_;
    const auto digits = [this] {
      const size_t from = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ - from;
    };
    Take("-");
    const bool zero = text_.substr(at_, 1) == "0";
    const size_t whole = digits();
    if (whole == 0) return Wrong("a value");
    if (zero && whole > 1) return Wrong("a number without leading zeros before this");
    if (Take(".") && digits() == 0) return Wrong("a digit");
    if (Take("e") || Take("E")) {
      if (!Take("+")) Take("-");
      if (digits() == 0) return Wrong("a digit");
    }
    JsonValue value;
    value.kind = JsonValue::Kind::kNumber;
    value.text = std::string(text_.substr(begin, at_ - begin));
    return value;
  }

  Result<std::string> ParseString() {
    std::string value;
    while (!Take("\"")) {
      if (at_ >= text_.size()) return Wrong("'\"' at the string's end");
      if (Take("\\")) {
        HW_TRY_VOID(ParseEscape(&value));
        continue;
      }
      const std::string_view rest = text_.substr(at_);
      const size_t bytes = Utf8CharacterBytes(rest);
      if (bytes == 0) return Wrong("UTF-8");
      if (static_cast<unsigned char>(rest.front()) < 0x20) return Wrong("an escape for this");
      value += rest.substr(0, bytes);
      at_ += bytes;
    }
    return value;
  }

  Result<uint32_t> ParseHex() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      const std::string_view kDigits = "0123456789abcdef";
      const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
      const size_t digit = kDigits.find(lower);
      if (digit == std::string_view::npos) return Wrong("four hexadecimal digits");
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return value;
  }

  Result<void> ParseEscape(std::string* value) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t which = at_ < text_.size() ? kLetters.find(text_[at_]) : std::string_view::npos;
    if (which != std::string_view::npos) {
      ++at_;
      value->push_back(kMeanings[which]);
      return {};
    }
    if (!Take("u")) return Wrong("an escape");
    HW_TRY(uint32_t code_point, ParseHex());
    if (code_point >= 0xD800 && code_point < 0xDC00) {
      if (!Take("\\u")) return Wrong("the second half of a surrogate pair");
      HW_TRY(const uint32_t low, ParseHex());
      if (low < 0xDC00 || low > 0xDFFF) return Wrong("the second half of a surrogate pair before");
      code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (!IsScalarValue(code_point)) return Wrong("no lone surrogate before this");
    AppendUtf8(code_point, value);
    return {};
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

const JsonValue* JsonValue::Find(std::string_view name) const {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return &items[i];
  }
  return nullptr;
}

Result<JsonValue> ParseJson(std::string_view text) { return JsonParser(text).Run(); }

std::string Shown(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBoolean:
      return value.boolean ? "true" : "false";
    case JsonValue::Kind::kNumber:
      return value.text;
    case JsonValue::Kind::kString:
      return QuotedJson(value.text);
    case JsonValue::Kind::kArray:
      return "an array";
    case JsonValue::Kind::kObject:
      return "an object";
  }
  return "";
}

std::string QuotedJson(std::string_view value) {
  constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  std::string text = "\"";
  for (const char c : value) {
    const size_t which = kEscaped.find(c);
    if (which != std::string_view::npos) {
      text += '\\';
      text += kLetters[which];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text + '"';
}

}  // namespace headway::grammar
