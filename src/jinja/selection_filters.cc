// map, select, reject, selectattr and rejectattr: filters that take filters or tests.

#include <fmt/format.h>

#include "base/quoted.h"
#include "jinja/builtins.h"
#include "jinja/operators.h"

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

Result<Value> NamedFunction(const Arguments& arguments, size_t place, std::string_view what) {
  if (arguments.positional.size() <= place)
    return Wrong(fmt::format("expected the name of a {}, found none", what));
  const Value& name = arguments.positional[place];
  if (name.IsUndefined()) return Wrong(name.Reason());
  if (name.IsString()) return name;
  return Wrong(fmt::format("expected the name of a {}, found {}", what, name.TypeName()));
}

// The arguments behind `used` ones, with room for the value in front.
Arguments Rest(const Arguments& arguments, size_t used) {
  Arguments rest;
  rest.positional.emplace_back();
  rest.positional.insert(rest.positional.end(),
                         arguments.positional.begin() + static_cast<int64_t>(used),
                         arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

Result<Value> MapAttribute(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, (Arguments{.positional = {}, .named = arguments.named}.Bind(
                               "map", {"attribute", "default"}, 1)));
  HW_TRY(const std::vector<Value> items, context->Items(arguments.positional.front()));
  std::vector<Value> mapped;
  for (const Value& item : items) {
    HW_TRY(Value value, GetPath(item, *bound[0], context));
    const bool replaces = value.IsUndefined() && bound[1] && !bound[1]->Is(Kind::kNone);
    if (replaces) value = *bound[1];
    mapped.push_back(std::move(value));
  }
  return context->MakeIterator(std::move(mapped));
}

Result<Value> Map(Context* context, const Arguments& arguments) {
  const Value& value = arguments.positional.front();
  if (!value.IsTrue()) return context->MakeIterator({});
  if (arguments.positional.size() == 1 && !arguments.named.empty())
    return MapAttribute(context, arguments);
  HW_TRY(const Value name, NamedFunction(arguments, 1, "filter"));
  const Builtin filter = FindFilter(name.bytes());
  if (filter == nullptr)
    return Wrong(fmt::format("expected a filter, found '{}'", PrintableWords(name.bytes())));
  Arguments call = Rest(arguments, 2);
  HW_TRY(const std::vector<Value> items, context->Items(value));
  std::vector<Value> mapped;
  for (const Value& item : items) {
    call.positional.front() = item;
    HW_TRY(Value result, filter(context, call));
    mapped.push_back(std::move(result));
  }
  return context->MakeIterator(std::move(mapped));
}

template <bool kOfAttribute, bool kKeeps>
Result<Value> Select(Context* context, const Arguments& arguments) {
  const Value& value = arguments.positional.front();
  if (!value.IsTrue()) return context->MakeIterator({});
  constexpr size_t kName = kOfAttribute ? 2 : 1;
  if (arguments.positional.size() < kName)
    return Wrong("expected the name of an attribute, found none");
  Builtin test = nullptr;
  Arguments call;
  if (arguments.positional.size() > kName) {
    HW_TRY(const Value name, NamedFunction(arguments, kName, "test"));
    test = FindTest(name.bytes());
    if (test == nullptr)
      return Wrong(fmt::format("expected a test, found '{}'", PrintableWords(name.bytes())));
    call = Rest(arguments, kName + 1);
  }
  HW_TRY(const std::vector<Value> items, context->Items(value));
  std::vector<Value> kept;
  for (const Value& item : items) {
    Value looked_at = item;
    if (kOfAttribute) {
      HW_TRY(looked_at, GetPath(item, arguments.positional[1], context));
    }
    bool passes = looked_at.IsTrue();
    if (test != nullptr) {
      call.positional.front() = std::move(looked_at);
      HW_TRY(const Value result, test(context, call));
      passes = result.IsTrue();
    }
    if (passes == kKeeps) kept.push_back(item);
  }
  return context->MakeIterator(std::move(kept));
}

constexpr NamedBuiltin kSelectionFilters[] = {
    {"map", Map},
    {"select", Select<false, true>},
    {"reject", Select<false, false>},
    {"selectattr", Select<true, true>},
    {"rejectattr", Select<true, false>},
};

}  // namespace

Builtin FindSelectionFilter(std::string_view name) { return FindIn(kSelectionFilters, name); }

Builtin FindFilter(std::string_view name) {
  for (const auto find :
       {FindTextFilter, FindSequenceFilter, FindNumberFilter, FindSelectionFilter}) {
    if (const Builtin filter = find(name)) return filter;
  }
  return nullptr;
}

}  // namespace headway::jinja
