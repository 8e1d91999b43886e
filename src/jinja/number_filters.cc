// Filters that give numbers.

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "base/from_chars.h"
#include "base/quoted.h"
#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/text_operations.h"

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

Result<Value> Length(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("length", {"value"}, 1));
  const Value& value = *bound[0];
  if (value.IsUndefined()) return Value::Of(int64_t{0});
  if (value.IsString()) return Value::Of(static_cast<int64_t>(CountCharacters(value.bytes())));
  if (value.Is(Kind::kDict)) return Value::Of(static_cast<int64_t>(value.dict().entries.size()));
  if (value.Is(Kind::kList) && value.list().form != List::Form::kIterator)
    return Value::Of(static_cast<int64_t>(value.list().items.size()));
  if (value.Is(Kind::kLoop)) return Value::Of(static_cast<int64_t>(value.loop().items.size()));
  return Wrong(fmt::format("length: expected something with a length, found {}", value.TypeName()));
}

// Without the single underscores that Python allows between digits; nothing for other ones.
std::optional<std::string> WithoutUnderscores(std::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      digits += text[i];
      continue;
    }
    const auto is_digit = [&](size_t at) {
      return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) return std::nullopt;
  }
  return digits;
}

std::optional<double> ParseReal(const Text& text) {
  const auto digits = WithoutUnderscores(Stripped(text, nullptr, true, true).bytes());
  if (!digits || digits->empty()) return std::nullopt;
  const char* first = digits->data() + (digits->front() == '+' ? 1 : 0);
  const char* last = digits->data() + digits->size();
  if (first != last && (*first == '+' || (*first == '-' && first != digits->data())))
    return std::nullopt;
  double value = 0.0;
  const auto [end, error] = FromChars(first, last, value);
  if (end != last) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    return std::strtod(std::string(first, last).c_str(),
                       nullptr);  // zero or infinity, as Python has
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<int64_t> ParseInteger(const Text& text, int64_t base) {
  const auto clean = WithoutUnderscores(Stripped(text, nullptr, true, true).bytes());
  if (!clean) return std::nullopt;
  std::string digits = *clean;
  const bool negative = digits.starts_with("-");
  if (negative || digits.starts_with("+")) digits.erase(0, 1);
  const std::string prefix = digits.substr(0, 2);
  if ((base == 16 && (prefix == "0x" || prefix == "0X")) ||
      (base == 8 && (prefix == "0o" || prefix == "0O")) ||
      (base == 2 && (prefix == "0b" || prefix == "0B")))
    digits.erase(0, 2);
  if (digits.empty() || digits.front() == '-') return std::nullopt;
  if (negative) digits.insert(0, 1, '-');
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base));
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<int64_t> Truncated(double value) {
  if (!(std::fabs(value) < 9.2e18)) return std::nullopt;
  return static_cast<int64_t>(std::trunc(value));
}

Result<Value> AsInteger(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("int", {"value", "default", "base"}, 1));
  const Value& value = *bound[0];
  const Value otherwise = bound[1].value_or(Value::Of(int64_t{0}));
  HW_TRY(const int64_t base, IntegerOr(bound[2], 10, "int"));
  if (base < 2 || base > 36)
    return Wrong(fmt::format("int: expected a base of 2 to 36, found {}", base));
  if (value.IsUndefined()) return Wrong(value.Reason());
  if (const auto whole = value.AsInteger()) return Value::Of(*whole);
  std::optional<double> real = value.AsNumber();
  if (value.IsString()) {
    if (const auto whole = ParseInteger(value.text(), base)) return Value::Of(*whole);
    real = ParseReal(value.text());
  }
  if (!real || std::isnan(*real) || (value.IsString() && std::isinf(*real))) return otherwise;
  if (const auto whole = Truncated(*real)) return Value::Of(*whole);
  return Wrong("int: expected a number of 64 bits, found a larger one");
}

Result<Value> AsFloat(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("float", {"value", "default"}, 1));
  const Value& value = *bound[0];
  if (value.IsUndefined()) return Wrong(value.Reason());
  std::optional<double> real = value.AsNumber();
  if (value.IsString()) real = ParseReal(value.text());
  return real ? Value::Of(*real) : bound[1].value_or(Value::Of(0.0));
}

Result<Value> Absolute(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("abs", {"value"}, 1));
  if (const auto whole = bound[0]->AsInteger()) {
    if (*whole < 0) return Negative(*bound[0]);
    return Value::Of(*whole);
  }
  if (bound[0]->Is(Kind::kFloat)) return Value::Of(std::fabs(bound[0]->real()));
  if (bound[0]->IsUndefined()) return Wrong(bound[0]->Reason());
  return Wrong(fmt::format("abs: expected a number, found {}", bound[0]->TypeName()));
}

// To the nearest, ties to even, of the decimal digits that the number really has.
double RoundedTo(double value, int64_t precision) {
  if (!std::isfinite(value) || precision > 300) return value;
  if (precision < -300) return std::copysign(0.0, value);
  if (precision >= 0) {
    const std::string text = fmt::format("{:.{}f}", value, precision);
    return std::strtod(text.c_str(), nullptr);
  }
  const double unit = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(value / unit) * unit;
}

Result<Value> Round(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("round", {"value", "precision", "method"}, 1));
  HW_TRY(const int64_t precision, IntegerOr(bound[1], 0, "round"));
  const std::string method = bound[2] && bound[2]->IsString() ? bound[2]->bytes() : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    return Wrong("round: expected common, ceil or floor, found '" + PrintableWords(method) + "'");
  const auto number = bound[0]->AsNumber();
  if (!number) {
    if (bound[0]->IsUndefined()) return Wrong(bound[0]->Reason());
    return Wrong(fmt::format("round: expected a number, found {}", bound[0]->TypeName()));
  }
  if (method == "common") {
    if (const auto whole = bound[0]->AsInteger()) {
      if (precision >= 0) return Value::Of(*whole);
      const auto rounded = Truncated(RoundedTo(static_cast<double>(*whole), precision));
      if (!rounded) return Wrong("round: expected a number of 64 bits, found a larger one");
      return Value::Of(*rounded);
    }
    return Value::Of(RoundedTo(*number, precision));
  }
  const double unit = std::pow(10.0, static_cast<double>(precision));
  const double scaled = *number * unit;
  // Python's floor is an integer, which has no negative zero.
  return Value::Of(((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) + 0.0) / unit);
}

Result<Value> Sum(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("sum", {"value", "attribute", "start"}, 1));
  HW_TRY(const std::vector<Value> items, context->Items(*bound[0]));
  Value sum = bound[2].value_or(Value::Of(int64_t{0}));
  if (sum.IsString()) return Wrong("sum: expected a start that is no string, found one");
  for (Value item : items) {
    if (bound[1] && !bound[1]->Is(Kind::kNone)) {
      HW_TRY(item, GetPath(item, *bound[1], context));
    }
    HW_TRY(sum, Arithmetic("+", sum, item, context));
  }
  return sum;
}

constexpr NamedBuiltin kNumberFilters[] = {
    {"length", Length}, {"count", Length}, {"int", AsInteger}, {"float", AsFloat},
    {"abs", Absolute},  {"round", Round},  {"sum", Sum},
};

}  // namespace

Builtin FindNumberFilter(std::string_view name) { return FindIn(kNumberFilters, name); }

}  // namespace headway::jinja
