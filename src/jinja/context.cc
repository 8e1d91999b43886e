#include "jinja/context.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/quoted.h"
#include "jinja/print.h"

namespace headway::jinja {
namespace {

Result<Value> NotTooDeep(Value value) {
  if (value.Depth() <= kDeepestValue) return value;
  return Wrong(fmt::format("expected values of at most {} levels, found more", kDeepestValue));
}

}  // namespace

Result<Value> Context::Make(Text text) {
  HW_TRY_VOID(budget.Build(text.bytes().size()));
  return Value::Of(std::move(text));
}

Result<Value> Context::Make(List list) {
  HW_TRY_VOID(budget.Step(static_cast<int64_t>(list.items.size())));
  HW_TRY_VOID(budget.Build(list.items.size() * sizeof(Value)));
  return NotTooDeep(Value::Of(std::move(list)));
}

Result<Value> Context::Make(Dict dict) {
  HW_TRY_VOID(budget.Build(dict.entries.size() * 2 * sizeof(Value)));
  return NotTooDeep(Value::Of(std::move(dict)));
}

Result<Value> Context::MakeList(std::vector<Value> items) {
  return Make(List{.items = std::move(items)});
}

Result<Value> Context::MakeIterator(std::vector<Value> items, std::string_view name) {
  return Make(
      List{.items = std::move(items), .form = List::Form::kIterator, .name = std::string(name)});
}

Result<std::vector<Value>> Context::Items(const Value& value) {
  HW_TRY(std::vector<Value> items, Iterate(value));
  HW_TRY_VOID(budget.Step(static_cast<int64_t>(items.size())));
  HW_TRY_VOID(budget.Build(items.size() * sizeof(Value)));
  return items;
}

Result<Text> Context::ToText(const Value& value) { return jinja::ToText(value, &budget); }

Result<std::vector<std::optional<Value>>> Arguments::Bind(
    std::string_view what, std::initializer_list<std::string_view> names, size_t required) const {
  std::vector<std::optional<Value>> bound(names.size());
  if (positional.size() > names.size()) {
    return Wrong(fmt::format("{}: expected at most {} arguments, found {}", PrintableWords(what),
                             names.size(), positional.size()));
  }
  std::copy(positional.begin(), positional.end(), bound.begin());
  for (const auto& [name, value] : named) {
    const auto* place = std::find(names.begin(), names.end(), name);
    const auto index = static_cast<size_t>(place - names.begin());
    if (place == names.end() || bound[index]) {
      return Wrong(fmt::format("{}: expected {} '{}'", PrintableWords(what),
                               place == names.end() ? "no argument" : "one argument",
                               PrintableWords(name)));
    }
    bound[index] = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (bound[i]) continue;
    return Wrong(fmt::format("{}: expected an argument '{}', found none", PrintableWords(what),
                             names.begin()[i]));
  }
  return bound;
}

Result<void> CheckKey(const Value& key) {
  if (key.IsString() || key.AsNumber() || key.Is(Value::Kind::kNone)) return {};
  return Wrong(
      fmt::format("expected a key that is a string, a number or none, found {}", key.TypeName()));
}

Result<int64_t> IntegerOr(const std::optional<Value>& value, int64_t otherwise,
                          std::string_view what) {
  if (!value) return otherwise;
  if (const auto integer = value->AsInteger()) return *integer;
  if (value->IsUndefined()) return Wrong(value->Reason());
  return Wrong(fmt::format("{}: expected an integer, found {}", what, value->TypeName()));
}

}  // namespace headway::jinja
