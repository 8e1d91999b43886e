#pragma once

// What every operation of a rendering shares: its budget and its clock; and the arguments of a call.

#include <ctime>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "jinja/value.h"

namespace headway::jinja {

struct Context {
  Budget budget;
  std::tm now = {};  // what strftime_now tells

  // Values that hold others, counted and not nested too deep. Errors: kInvalidInput.
  Result<Value> Make(Text text);
  Result<Value> Make(List list);
  Result<Value> Make(Dict dict);
  Result<Value> MakeList(std::vector<Value> items);
  // What a lazy filter gives: to be read once.
  Result<Value> MakeIterator(std::vector<Value> items, std::string_view name = "generator object");
  // Iterate() with its items counted.
  Result<std::vector<Value>> Items(const Value& value);
  Result<Text> ToText(const Value& value);
};

// A filter's, test's or method's first argument is the value it applies to.
struct Arguments {
  std::vector<Value> positional = {};
  std::vector<std::pair<std::string, Value>> named = {};

  // One for each of `names`, in their order; `required` of them must be there. Errors: kInvalidInput
  // for missing, unknown and doubled ones.
  Result<std::vector<std::optional<Value>>> Bind(std::string_view what,
                                                 std::initializer_list<std::string_view> names,
                                                 size_t required) const;
};

// Keys of dicts are None, numbers and strings. Errors: kInvalidInput.
Result<void> CheckKey(const Value& key);

// Of an argument; `otherwise` where it was left out. Errors: kInvalidInput, naming its type.
Result<int64_t> IntegerOr(const std::optional<Value>& value, int64_t otherwise,
                          std::string_view what);

}  // namespace headway::jinja
