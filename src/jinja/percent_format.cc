// Python's `text % values`.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "jinja/operators.h"
#include "jinja/print.h"

namespace headway::jinja {
namespace {

constexpr int kWidest = 1000;

struct Conversion {
  std::string flags;
  int width = 0;
  int precision = -1;
  char letter = 0;
};

Result<Text> NumberText(const Conversion& conversion, const Value& value) {
  std::string format = "%" + conversion.flags;
  if (conversion.width > 0) format += std::to_string(conversion.width);
  if (conversion.precision >= 0) format += "." + std::to_string(conversion.precision);
  std::array<char, 4096> buffer{};
  int size = 0;
  const auto number = value.AsNumber();
  if (!number) {
    if (value.IsUndefined()) return Wrong(value.Reason());
    return Wrong(
        fmt::format("%{}: expected a number, found {}", conversion.letter, value.TypeName()));
  }
  if (std::string_view("dixXo").find(conversion.letter) != std::string_view::npos) {
    if (!value.AsInteger() && !(std::fabs(*number) < 9.0e18))
      return Wrong(fmt::format("%{}: expected an integer of 64 bits", conversion.letter));
    const long long whole =
        value.AsInteger() ? *value.AsInteger() : static_cast<long long>(std::trunc(*number));
    const bool is_decimal = conversion.letter == 'd' || conversion.letter == 'i';
    if (!is_decimal && whole < 0)
      return Wrong(fmt::format("%{}: expected no negative number", conversion.letter));
    format += std::string("ll") + conversion.letter;
    size = std::snprintf(buffer.data(), buffer.size(), format.c_str(), whole);
  } else {
    format += conversion.letter;
    size = std::snprintf(buffer.data(), buffer.size(), format.c_str(), *number);
  }
  if (size < 0 || static_cast<size_t>(size) >= buffer.size())
    return Wrong("%: expected a shorter number");
  return Text(std::string(buffer.data(), static_cast<size_t>(size)));
}

Result<Text> Converted(const Conversion& conversion, const Value& value, Context* context) {
  if (conversion.letter != 's' && conversion.letter != 'r') return NumberText(conversion, value);
  Text text;
  if (conversion.letter == 's') {
    HW_TRY(text, context->ToText(value));
  } else {
    HW_TRY(text, Repr(value, &context->budget));
  }
  if (conversion.precision >= 0)
    text = text.Slice(0, ByteOfCharacter(text.bytes(), static_cast<size_t>(conversion.precision)));
  const size_t characters = CountCharacters(text.bytes());
  const auto width = static_cast<size_t>(conversion.width);
  const std::string padding(width > characters ? width - characters : 0, ' ');
  if (conversion.flags.find('-') != std::string::npos) {
    text.Append(padding, false);
    return text;
  }
  Text padded{padding};
  padded.Append(text);
  return padded;
}

// From behind the '%'; moves `at` behind the letter.
Result<Conversion> ReadConversion(std::string_view pattern, size_t* at) {
  Conversion conversion;
  const auto here = [&] { return *at < pattern.size() ? pattern[*at] : '\0'; };
  const auto number = [&] {
    int value = 0;
    for (; here() >= '0' && here() <= '9'; ++*at)
      value = std::min(value * 10 + (here() - '0'), kWidest + 1);
    return value;
  };
  while (std::string_view("-+ 0#").find(here()) != std::string_view::npos && here() != '\0')
    conversion.flags += pattern[(*at)++];
  conversion.width = number();
  if (here() == '.') {
    ++*at;
    conversion.precision = number();
  }
  conversion.letter = here();
  const bool known =
      std::string_view("srdixXofFeEgG").find(conversion.letter) != std::string_view::npos;
  if (conversion.letter == '\0' || !known || conversion.width > kWidest ||
      conversion.precision > kWidest)
    return Wrong("%: expected one of %s %r %d %i %x %o %f %e %g %%, of at most 1000 characters");
  ++*at;
  return conversion;
}

}  // namespace

Result<Text> FormatPercent(const Text& pattern, const std::vector<Value>& values,
                           Context* context) {
  Text result;
  size_t used = 0;
  const std::string_view bytes = pattern.bytes();
  for (size_t at = 0; at < bytes.size();) {
    const size_t percent = std::min(bytes.find('%', at), bytes.size());
    result.Append(pattern, at, percent);
    if (percent == bytes.size()) break;
    at = percent + 1;
    if (bytes.substr(at, 1) == "%") {
      result.Append(pattern, percent, percent + 1);
      ++at;
      continue;
    }
    HW_TRY(const Conversion conversion, ReadConversion(bytes, &at));
    if (used == values.size()) return Wrong("%: expected an argument for each %, found fewer");
    HW_TRY(const Text text, Converted(conversion, values[used++], context));
    HW_TRY_VOID(context->budget.Build(text.bytes().size()));
    result.Append(text);
  }
  if (used != values.size()) return Wrong("%: expected an argument for each %, found more");
  return result;
}

}  // namespace headway::jinja
