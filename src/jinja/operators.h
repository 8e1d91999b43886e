#pragma once

// Operators, with Python's meaning for every pair of types. Errors: kInvalidInput, naming the types;
// the budget's.

#include <string_view>

#include "jinja/context.h"

namespace headway::jinja {

// `op` is one of + - * / // % **.
Result<Value> Arithmetic(std::string_view op, const Value& a, const Value& b, Context* context);
Result<Value> Negative(const Value& value);
// `op` is one of == != < <= > >= in "not in".
Result<bool> Compare(std::string_view op, const Value& a, const Value& b, Context* context);
Result<bool> Contains(const Value& container, const Value& item, Context* context);

// `value.name` and `value[key]`: each looks for the other where it finds nothing, and gives an
// undefined value where that has nothing either.
Result<Value> GetAttribute(const Value& value, std::string_view name);
Result<Value> GetItem(const Value& value, const Value& key, Context* context);
// "a.b.0", as filters name what they look at: items of items.
Result<Value> GetPath(Value value, const Value& path, Context* context);
// Null places are left out.
Result<Value> GetSlice(const Value& value, const Value* begin, const Value* end, const Value* step,
                       Context* context);

// Python's `text % values`. Knows %s %r %d %i %x %f %e %g %% with flags, width and precision.
Result<Text> FormatPercent(const Text& pattern, const std::vector<Value>& values, Context* context);

}  // namespace headway::jinja
