// What may stand behind `is`.

#include <fmt/format.h>

#include <cmath>

#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/text_operations.h"

namespace headway::jinja {
namespace {

using Kind = Value::Kind;
using Question = bool (*)(const Value&);

template <Question kAsk>
Result<Value> Asked(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("test", {"value"}, 1));
  return Value::Of(kAsk(*bound[0]));
}

bool IsDefined(const Value& value) { return !value.IsUndefined(); }
bool IsUndefinedValue(const Value& value) { return value.IsUndefined(); }
bool IsNone(const Value& value) { return value.Is(Kind::kNone); }
bool IsBoolean(const Value& value) { return value.Is(Kind::kBool); }
bool IsTrueItself(const Value& value) { return value.Is(Kind::kBool) && value.boolean(); }
bool IsFalseItself(const Value& value) { return value.Is(Kind::kBool) && !value.boolean(); }
bool IsInteger(const Value& value) { return value.Is(Kind::kInt); }
bool IsFloat(const Value& value) { return value.Is(Kind::kFloat); }
bool IsNumber(const Value& value) { return value.AsNumber().has_value(); }
bool IsText(const Value& value) { return value.IsString(); }
bool IsMapping(const Value& value) { return value.Is(Kind::kDict); }
bool IsSequence(const Value& value) {
  if (value.Is(Kind::kList))
    return value.list().form != List::Form::kView && value.list().form != List::Form::kIterator;
  // An undefined value has a length and, asked for it, an item.
  return value.IsString() || value.Is(Kind::kDict) || value.IsUndefined();
}
bool IsIterable(const Value& value) {
  return value.Is(Kind::kList) || value.IsString() || value.Is(Kind::kDict) ||
         value.IsUndefined() || value.Is(Kind::kLoop);
}
bool IsCallable(const Value& value) {
  return value.Is(Kind::kFunction) || value.IsUndefined() || value.Is(Kind::kLoop);
}
bool IsFilterName(const Value& value) {
  return value.IsString() && FindFilter(value.bytes()) != nullptr;
}
bool IsTestName(const Value& value) {
  return value.IsString() && FindTest(value.bytes()) != nullptr;
}
bool Never(const Value&) { return false; }

template <bool kUpperCase>
Result<Value> IsInCase(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("upper and lower", {"value"}, 1));
  HW_TRY(const Text text, context->ToText(*bound[0]));
  return Value::Of(IsAllCase(text.bytes(), kUpperCase));
}

// Comparisons by name; the names of operators are stable for as long as templates call them.
template <const std::string_view& kOperator>
Result<Value> Compared(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind(kOperator, {"value", "other"}, 2));
  HW_TRY(const bool answer, Compare(kOperator, *bound[0], *bound[1], context));
  return Value::Of(answer);
}
constexpr std::string_view kEqual = "==";
constexpr std::string_view kUnequal = "!=";
constexpr std::string_view kLess = "<";
constexpr std::string_view kAtMost = "<=";
constexpr std::string_view kGreater = ">";
constexpr std::string_view kAtLeast = ">=";
constexpr std::string_view kIn = "in";

Result<Value> Remainder(Context* context, const Value& value, int64_t divisor) {
  if (!value.AsNumber()) {
    if (value.IsUndefined()) return Wrong(value.Reason());
    return Wrong(fmt::format("expected a number, found {}", value.TypeName()));
  }
  return Arithmetic("%", value, Value::Of(divisor), context);
}

template <int kRemainder>
Result<Value> OddOrEven(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("odd and even", {"value"}, 1));
  HW_TRY(const Value rest, Remainder(context, *bound[0], 2));
  return Value::Of(*rest.AsNumber() == kRemainder);
}

Result<Value> DivisibleBy(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("divisibleby", {"value", "num"}, 2));
  HW_TRY(const int64_t divisor, IntegerOr(bound[1], 1, "divisibleby"));
  HW_TRY(const Value rest, Remainder(context, *bound[0], divisor));
  return Value::Of(*rest.AsNumber() == 0.0);
}

Result<Value> SameAs(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("sameas", {"value", "other"}, 2));
  if (bound[0]->kind() != bound[1]->kind()) return Value::Of(false);
  if (bound[0]->Is(Kind::kList)) return Value::Of(&bound[0]->list() == &bound[1]->list());
  if (bound[0]->Is(Kind::kDict)) return Value::Of(&bound[0]->dict() == &bound[1]->dict());
  HW_TRY(const bool equal, Equal(*bound[0], *bound[1], &context->budget));
  return Value::Of(equal);
}

constexpr NamedBuiltin kTests[] = {
    {"defined", Asked<IsDefined>},
    {"undefined", Asked<IsUndefinedValue>},
    {"none", Asked<IsNone>},
    {"boolean", Asked<IsBoolean>},
    {"true", Asked<IsTrueItself>},
    {"false", Asked<IsFalseItself>},
    {"integer", Asked<IsInteger>},
    {"float", Asked<IsFloat>},
    {"number", Asked<IsNumber>},
    {"string", Asked<IsText>},
    {"mapping", Asked<IsMapping>},
    {"sequence", Asked<IsSequence>},
    {"iterable", Asked<IsIterable>},
    {"callable", Asked<IsCallable>},
    {"filter", Asked<IsFilterName>},
    {"test", Asked<IsTestName>},
    {"escaped", Asked<Never>},
    {"lower", IsInCase<false>},
    {"upper", IsInCase<true>},
    {"odd", OddOrEven<1>},
    {"even", OddOrEven<0>},
    {"divisibleby", DivisibleBy},
    {"sameas", SameAs},
    {"==", Compared<kEqual>},
    {"eq", Compared<kEqual>},
    {"equalto", Compared<kEqual>},
    {"!=", Compared<kUnequal>},
    {"ne", Compared<kUnequal>},
    {"<", Compared<kLess>},
    {"lt", Compared<kLess>},
    {"lessthan", Compared<kLess>},
    {"<=", Compared<kAtMost>},
    {"le", Compared<kAtMost>},
    {">", Compared<kGreater>},
    {"gt", Compared<kGreater>},
    {"greaterthan", Compared<kGreater>},
    {">=", Compared<kAtLeast>},
    {"ge", Compared<kAtLeast>},
    {"in", Compared<kIn>},
};

}  // namespace

Builtin FindTest(std::string_view name) { return FindIn(kTests, name); }

}  // namespace headway::jinja
