// Filters of lists and dicts: what is in them and in which order.

#include <fmt/format.h>

#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/characters.h"
#include "jinja/operators.h"

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

Result<Value> Default(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("default", {"value", "default_value", "boolean"}, 1));
  const bool replaces =
      bound[0]->IsUndefined() || (bound[2] && bound[2]->IsTrue() && !bound[0]->IsTrue());
  return replaces ? bound[1].value_or(Value::Of(Text())) : *bound[0];
}

Result<Value> First(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("first", {"value"}, 1));
  HW_TRY(const std::vector<Value> items, context->Items(*bound[0]));
  return items.empty() ? Value::Missing("No first item, sequence was empty.") : items.front();
}

Result<Value> Last(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("last", {"value"}, 1));
  HW_TRY(const std::vector<Value> items, context->Items(*bound[0]));
  return items.empty() ? Value::Missing("No last item, sequence was empty.") : items.back();
}

Result<Value> AsList(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("list", {"value"}, 1));
  HW_TRY(std::vector<Value> items, context->Items(*bound[0]));
  return context->MakeList(std::move(items));
}

Result<Value> Reverse(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("reverse", {"value"}, 1));
  HW_TRY(std::vector<Value> items, context->Items(*bound[0]));
  std::reverse(items.begin(), items.end());
  if (!bound[0]->IsString()) return context->MakeIterator(std::move(items), "list_reverseiterator");
  Text text;
  for (const Value& letter : items) text.Append(letter.text());
  return context->Make(std::move(text));
}

Result<Value> ItemsOf(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("items", {"value"}, 1));
  std::vector<Value> pairs;
  if (bound[0]->Is(Kind::kDict)) {
    for (const auto& [key, value] : bound[0]->dict().entries) {
      HW_TRY(Value pair, context->Make(List{.items = {key, value}, .form = List::Form::kTuple}));
      pairs.push_back(std::move(pair));
    }
  } else if (!bound[0]->IsUndefined()) {
    return Wrong(fmt::format("items: expected a mapping, found {}", bound[0]->TypeName()));
  }
  return context->MakeIterator(std::move(pairs));
}

// What a value is ordered by: lower case, unless case counts.
Value OrderedBy(Value value, bool case_sensitive) {
  if (case_sensitive || !value.IsString()) return value;
  return Value::Of(WithCase(value.text(), Case::kLower));
}

// Several attributes separated by commas order by the first, then by the next. A list even of one,
// as Jinja has it: lists compare their items for equality first, so undefined ones do not matter.
Result<Value> SortKey(const Value& item, const std::optional<Value>& attribute, bool case_sensitive,
                      Context* context) {
  if (!attribute || attribute->Is(Kind::kNone))
    return context->MakeList({OrderedBy(item, case_sensitive)});
  std::vector<Value> keys;
  std::string_view rest = attribute->IsString() ? std::string_view(attribute->bytes()) : "";
  do {
    const size_t comma = std::min(rest.find(','), rest.size());
    const Value path = attribute->IsString() ? Value::Of(rest.substr(0, comma)) : *attribute;
    HW_TRY(Value key, GetPath(item, path, context));
    keys.push_back(OrderedBy(std::move(key), case_sensitive));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  } while (!rest.empty());
  return context->MakeList(std::move(keys));
}

Result<std::vector<Value>> Sorted(std::vector<Value> items, std::vector<Value> keys, bool reverse,
                                  Context* context) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  Result<void> outcome;
  const auto before = [&](size_t a, size_t b) {
    if (!outcome) return false;
    const Result<bool> less = reverse ? Less(keys[b], keys[a], &context->budget)
                                      : Less(keys[a], keys[b], &context->budget);
    if (!less) outcome = tl::unexpected<Error>(less.error());
    return less && *less;
  };
  std::stable_sort(order.begin(), order.end(), before);
  if (!outcome) return tl::unexpected<Error>(outcome.error());
  std::vector<Value> sorted;
  sorted.reserve(order.size());
  for (const size_t i : order) sorted.push_back(std::move(items[i]));
  return sorted;
}

Result<Value> Sort(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound,
         arguments.Bind("sort", {"value", "reverse", "case_sensitive", "attribute"}, 1));
  const bool case_sensitive = bound[2] && bound[2]->IsTrue();
  HW_TRY(std::vector<Value> items, context->Items(*bound[0]));
  std::vector<Value> keys;
  for (const Value& item : items) {
    HW_TRY(Value key, SortKey(item, bound[3], case_sensitive, context));
    keys.push_back(std::move(key));
  }
  HW_TRY(items, Sorted(std::move(items), std::move(keys), bound[1] && bound[1]->IsTrue(), context));
  return context->MakeList(std::move(items));
}

Result<Value> DictSort(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound,
         arguments.Bind("dictsort", {"value", "case_sensitive", "by", "reverse"}, 1));
  if (!bound[0]->Is(Kind::kDict)) {
    if (bound[0]->IsUndefined()) return Wrong(bound[0]->Reason());
    return Wrong(fmt::format("dictsort: expected a mapping, found {}", bound[0]->TypeName()));
  }
  const std::string by = bound[2] && bound[2]->IsString() ? bound[2]->bytes() : "key";
  if (by != "key" && by != "value") return Wrong("dictsort: expected to sort by key or value");
  std::vector<Value> pairs;
  std::vector<Value> keys;
  for (const auto& [key, value] : bound[0]->dict().entries) {
    HW_TRY(Value pair, context->Make(List{.items = {key, value}, .form = List::Form::kTuple}));
    pairs.push_back(std::move(pair));
    keys.push_back(OrderedBy(by == "key" ? key : value, bound[1] && bound[1]->IsTrue()));
  }
  HW_TRY(pairs, Sorted(std::move(pairs), std::move(keys), bound[3] && bound[3]->IsTrue(), context));
  return context->MakeList(std::move(pairs));
}

Result<Value> Unique(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("unique", {"value", "case_sensitive", "attribute"}, 1));
  const bool case_sensitive = bound[1] && bound[1]->IsTrue();
  HW_TRY(const std::vector<Value> items, context->Items(*bound[0]));
  std::vector<Value> kept;
  std::vector<Value> seen;
  for (const Value& item : items) {
    Value key = item;
    if (bound[2] && !bound[2]->Is(Kind::kNone)) {
      HW_TRY(key, GetPath(item, *bound[2], context));
    }
    key = OrderedBy(std::move(key), case_sensitive);
    if (!IsHashable(key))
      return Wrong(
          fmt::format("unique: expected values that are no {}, found one", key.TypeName()));
    bool is_new = true;
    for (size_t i = 0; is_new && i < seen.size(); ++i) {
      HW_TRY(const bool equal, Equal(seen[i], key, &context->budget));
      is_new = !equal;
    }
    if (!is_new) continue;
    seen.push_back(std::move(key));
    kept.push_back(item);
  }
  return context->MakeIterator(std::move(kept));
}

template <bool kGreatest>
Result<Value> Extreme(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound,
         arguments.Bind("min and max", {"value", "case_sensitive", "attribute"}, 1));
  const bool case_sensitive = bound[1] && bound[1]->IsTrue();
  HW_TRY(const std::vector<Value> items, context->Items(*bound[0]));
  if (items.empty()) return Value::Missing("No aggregated item, sequence was empty.");
  size_t best = 0;
  Value best_key;
  for (size_t i = 0; i < items.size(); ++i) {
    Value key = items[i];
    if (bound[2] && !bound[2]->Is(Kind::kNone)) {
      HW_TRY(key, GetPath(key, *bound[2], context));
    }
    key = OrderedBy(std::move(key), case_sensitive);
    bool better = i == 0;
    if (i > 0) {
      HW_TRY(better,
             Less(kGreatest ? best_key : key, kGreatest ? key : best_key, &context->budget));
    }
    if (!better) continue;
    best = i;
    best_key = std::move(key);
  }
  return items[best];
}

Result<Value> Batch(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("batch", {"value", "linecount", "fill_with"}, 2));
  HW_TRY(const int64_t size, IntegerOr(bound[1], 1, "batch"));
  if (size < 1 || size > 100000)
    return Wrong(fmt::format("batch: expected a size of 1 to 100000, found {}", size));
  HW_TRY(const std::vector<Value> items, context->Items(*bound[0]));
  std::vector<Value> batches;
  for (size_t i = 0; i < items.size(); i += static_cast<size_t>(size)) {
    const size_t end = std::min(items.size(), i + static_cast<size_t>(size));
    std::vector<Value> batch(items.begin() + static_cast<int64_t>(i),
                             items.begin() + static_cast<int64_t>(end));
    if (bound[2] && !bound[2]->Is(Kind::kNone)) batch.resize(static_cast<size_t>(size), *bound[2]);
    HW_TRY(Value list, context->MakeList(std::move(batch)));
    batches.push_back(std::move(list));
  }
  return context->MakeIterator(std::move(batches));
}

constexpr NamedBuiltin kSequenceFilters[] = {
    {"default", Default}, {"d", Default},         {"first", First},        {"last", Last},
    {"list", AsList},     {"reverse", Reverse},   {"items", ItemsOf},      {"sort", Sort},
    {"unique", Unique},   {"dictsort", DictSort}, {"min", Extreme<false>}, {"max", Extreme<true>},
    {"batch", Batch},
};

}  // namespace

Builtin FindSequenceFilter(std::string_view name) { return FindIn(kSequenceFilters, name); }

}  // namespace headway::jinja
