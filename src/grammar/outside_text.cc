#include "grammar/outside_text.h"

#include <algorithm>
#include <set>
#include <utility>

#include "grammar/decimal.h"
#include "grammar/json_value.h"

namespace headway::grammar {
namespace {

// The byte behind the string that begins at `begin`, or the text's end.
size_t EndOfString(std::string_view text, size_t begin) {
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return text.size();
}

size_t EndOfDigits(std::string_view text, size_t begin) {
  return std::min(text.find_first_not_of("0123456789", begin), text.size());
}

// Whether it is a number of JSON, and one that has an exponent.
bool HasExponent(std::string_view number) {
  const auto is = [&](size_t at, std::string_view any) {
    return at < number.size() && any.find(number[at]) != std::string_view::npos;
  };
  size_t at = is(0, "-") ? 1 : 0;
  size_t end = EndOfDigits(number, at);
  if (end == at || (number[at] == '0' && end > at + 1)) return false;
  if (is(end, ".")) {
    at = end + 1;
    end = EndOfDigits(number, at);
    if (end == at) return false;
  }
  if (!is(end, "eE")) return false;
  at = end + (is(end + 1, "+-") ? 2 : 1);
  return at < number.size() && EndOfDigits(number, at) == number.size();
}

std::string Plain(const Decimal& number) {
  const std::string whole = number.Whole();
  const std::string fraction = number.Fraction();
  return (number.negative ? "-" : "") + (whole.empty() ? "0" : whole) +
         (fraction.empty() ? "" : "." + fraction);
}

}  // namespace

size_t PlainText::Original(size_t byte) const {
  // The last number that begins at or before the byte.
  const auto after = std::upper_bound(changes.begin(), changes.end(), byte,
                                      [](size_t b, const Change& c) { return b < c.begin; });
  if (after == changes.begin()) return byte;
  const Change& change = *(after - 1);
  return byte < change.end ? change.was_begin : change.was_end + (byte - change.end);
}

PlainText PlainNumbers(std::string_view json) {
  PlainText plain;
  for (size_t at = 0; at < json.size();) {
    const char c = json[at];
    size_t end = at + 1;
    if (c == '"') end = EndOfString(json, at);
    if (c == '-' || (c >= '0' && c <= '9')) {
      // All of it, so that what follows something that is no number is none by itself.
      end = std::min(json.find_first_not_of("0123456789.eE+-", at), json.size());
      const std::string_view number = json.substr(at, end - at);
      if (HasExponent(number)) {
        if (const auto value = ParseDecimal(number)) {
          const size_t begin = plain.text.size();
          plain.text += Plain(*value);
          plain.changes.push_back({begin, plain.text.size(), at, end});
          at = end;
          continue;
        }
      }
    }
    plain.text += json.substr(at, end - at);
    at = end;
  }
  return plain;
}

std::optional<size_t> RepeatedName(std::string_view json) {
  struct Level {
    bool is_object;
    bool name_next;
    std::set<std::string> names;
  };
  std::vector<Level> levels;
  for (size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (c == '{' || c == '[') {
      levels.push_back({c == '{', c == '{', {}});
    } else if ((c == '}' || c == ']') && !levels.empty()) {
      levels.pop_back();
    } else if (c == ',' && !levels.empty()) {
      levels.back().name_next = levels.back().is_object;
    } else if (c == '"') {
      const size_t begin = at;
      const size_t end = EndOfString(json, begin);
      at = end - 1;
      if (levels.empty() || !levels.back().name_next) continue;
      levels.back().name_next = false;
      auto name = ParseJson(json.substr(begin, end - begin));
      if (name && !levels.back().names.insert(std::move(name->text)).second) return begin;
    }
  }
  return std::nullopt;
}

}  // namespace headway::grammar
