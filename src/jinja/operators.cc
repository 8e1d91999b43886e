#include "jinja/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "jinja/print.h"

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

tl::unexpected<Error> CannotCombine(std::string_view op, const Value& a, const Value& b) {
  if (a.IsUndefined()) return Wrong(a.Reason());
  if (b.IsUndefined()) return Wrong(b.Reason());
  return Wrong(fmt::format("expected operands that '{}' can combine, found {} and {}", op,
                           a.TypeName(), b.TypeName()));
}

tl::unexpected<Error> TooLarge() {
  return Wrong("expected an integer of 64 bits, found a larger one");
}

Result<Value> IntegerPower(int64_t base, int64_t exponent) {
  int64_t power = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    if (base == 0 || base == 1) return Value::Of(base);
    if (base == -1) return Value::Of(exponent % 2 == 0 ? int64_t{1} : int64_t{-1});
    if (__builtin_mul_overflow(power, base, &power)) return TooLarge();
  }
  return Value::Of(power);
}

Result<Value> OfIntegers(std::string_view op, int64_t a, int64_t b) {
  int64_t result = 0;
  if (op == "+")
    return __builtin_add_overflow(a, b, &result) ? TooLarge() : Result<Value>(Value::Of(result));
  if (op == "-")
    return __builtin_sub_overflow(a, b, &result) ? TooLarge() : Result<Value>(Value::Of(result));
  if (op == "*")
    return __builtin_mul_overflow(a, b, &result) ? TooLarge() : Result<Value>(Value::Of(result));
  if (op == "**") {
    if (b >= 0) return IntegerPower(a, b);
    if (a == 0) return Wrong("expected a positive power of zero, found a negative one");
    return Value::Of(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  if (b == 0) return Wrong("expected a divisor, found zero");
  if (op == "/") return Value::Of(static_cast<double>(a) / static_cast<double>(b));
  if (a == std::numeric_limits<int64_t>::min() && b == -1) return TooLarge();
  const bool rounds_down = a % b != 0 && (a < 0) != (b < 0);
  if (op == "//") return Value::Of(a / b - (rounds_down ? 1 : 0));
  return Value::Of(rounds_down ? a % b + b : a % b);
}

Result<Value> OfReals(std::string_view op, double a, double b) {
  if (op == "+") return Value::Of(a + b);
  if (op == "-") return Value::Of(a - b);
  if (op == "*") return Value::Of(a * b);
  if (op == "**") {
    const double power = std::pow(a, b);
    if (std::isnan(power) && !std::isnan(a) && !std::isnan(b))
      return Wrong("expected a power that is real, found a complex one");
    if (std::isinf(power) && std::isfinite(a) && std::isfinite(b))
      return Wrong("expected a power that a float can hold, found a larger one");
    return Value::Of(power);
  }
  if (b == 0.0) return Wrong("expected a divisor, found zero");
  if (op == "/") return Value::Of(a / b);
  // As CPython: the remainder has the divisor's sign, and the quotient fits it.
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0.0 && (b < 0) != (remainder < 0)) {
    remainder += b;
    quotient -= 1.0;
  } else if (remainder == 0.0) {
    remainder = std::copysign(0.0, b);
  }
  if (op == "%") return Value::Of(remainder);
  if (quotient == 0.0) return Value::Of(std::copysign(0.0, a / b));
  const double floor = std::floor(quotient);
  return Value::Of(quotient - floor > 0.5 ? floor + 1.0 : floor);
}

Result<Value> Repeated(const Value& value, int64_t count, Context* context) {
  const size_t times = count < 0 ? 0 : static_cast<size_t>(count);
  if (value.IsString()) {
    const size_t size = value.bytes().size();
    if (size != 0 && times > (size_t{1} << 40) / size) return TooLarge();
    HW_TRY_VOID(context->budget.Build(size * times));
    Text text;
    for (size_t i = 0; size != 0 && i < times; ++i) text.Append(value.text());
    return Value::Of(std::move(text));
  }
  const std::vector<Value>& once = value.list().items;
  if (!once.empty() && times > (size_t{1} << 32) / once.size()) return TooLarge();
  HW_TRY_VOID(context->budget.Build(once.size() * times * sizeof(Value)));
  List list{.items = {}, .form = value.list().form};
  for (size_t i = 0; !once.empty() && i < times; ++i)
    list.items.insert(list.items.end(), once.begin(), once.end());
  return context->Make(std::move(list));
}

bool IsRepeatable(const Value& value) {
  if (value.IsString()) return true;
  if (!value.Is(Kind::kList)) return false;
  return value.list().form == List::Form::kList || value.list().form == List::Form::kTuple;
}

Result<Value> Joined(const Value& a, const Value& b, Context* context) {
  if (a.IsString()) {
    HW_TRY_VOID(context->budget.Build(a.bytes().size() + b.bytes().size()));
    Text text = a.text();
    text.Append(b.text());
    return Value::Of(std::move(text));
  }
  List list{.items = a.list().items, .form = a.list().form};
  HW_TRY_VOID(context->budget.Build((list.items.size() + b.list().items.size()) * sizeof(Value)));
  list.items.insert(list.items.end(), b.list().items.begin(), b.list().items.end());
  return context->Make(std::move(list));
}

}  // namespace

Result<Value> Arithmetic(std::string_view op, const Value& a, const Value& b, Context* context) {
  const auto x = a.AsInteger();
  const auto y = b.AsInteger();
  if (x && y) return OfIntegers(op, *x, *y);
  if (a.AsNumber() && b.AsNumber()) return OfReals(op, *a.AsNumber(), *b.AsNumber());
  if (op == "%" && a.IsString()) {
    const bool is_tuple = b.Is(Kind::kList) && b.list().form == List::Form::kTuple;
    HW_TRY(Text text,
           FormatPercent(a.text(), is_tuple ? b.list().items : std::vector<Value>{b}, context));
    return context->Make(std::move(text));
  }
  if (op == "+" && IsRepeatable(a) && IsRepeatable(b) && a.kind() == b.kind() &&
      (a.IsString() || a.list().form == b.list().form))
    return Joined(a, b, context);
  if (op == "*" && IsRepeatable(a) && y) return Repeated(a, *y, context);
  if (op == "*" && IsRepeatable(b) && x) return Repeated(b, *x, context);
  return CannotCombine(op, a, b);
}

Result<Value> Negative(const Value& value) {
  if (const auto integer = value.AsInteger()) return OfIntegers("-", 0, *integer);
  if (value.Is(Kind::kFloat)) return Value::Of(-value.real());
  if (value.IsUndefined()) return Wrong(value.Reason());
  return Wrong(fmt::format("expected a number, found {}", value.TypeName()));
}

Result<bool> Contains(const Value& container, const Value& item, Context* context) {
  if (container.IsString()) {
    if (!item.IsString()) {
      if (item.IsUndefined()) return Wrong(item.Reason());
      return Wrong(
          fmt::format("in: expected a string to look for in a string, found {}", item.TypeName()));
    }
    HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(container.bytes().size() / 64)));
    return container.bytes().find(item.bytes()) != std::string::npos;
  }
  if (container.Is(Kind::kDict)) {
    if (!IsHashable(item))
      return Wrong(
          fmt::format("in: expected a key to look for in a dict, found {}", item.TypeName()));
    HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(container.dict().entries.size())));
    return container.dict().Find(item) != nullptr;
  }
  HW_TRY(const std::vector<Value> items, context->Items(container));
  for (const Value& candidate : items) {
    HW_TRY(const bool equal, Equal(candidate, item, &context->budget));
    if (equal) return true;
  }
  return false;
}

Result<bool> Compare(std::string_view op, const Value& a, const Value& b, Context* context) {
  Budget* budget = &context->budget;
  if (op == "==") return Equal(a, b, budget);
  if (op == "!=") {
    HW_TRY(const bool equal, Equal(a, b, budget));
    return !equal;
  }
  if (op == "in") return Contains(b, a, context);
  if (op == "not in") {
    HW_TRY(const bool contains, Contains(b, a, context));
    return !contains;
  }
  // NaN is neither less than nor equal to anything, so that each operator has a question of its own.
  const bool swaps = op == ">" || op == ">=";
  HW_TRY(const bool less, Less(swaps ? b : a, swaps ? a : b, budget));
  if (less || op == "<" || op == ">") return less;
  return Equal(a, b, budget);
}

}  // namespace headway::jinja
