// Global functions, and methods of lists, dicts and loops.

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/quoted.h"
#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

constexpr int64_t kLongestRange = 100000;  // Jinja's sandbox has the same

Result<Value> Range(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("range", {"start", "stop", "step"}, 1));
  if (!arguments.named.empty())
    return Wrong("range: expected arguments by place, found one by name");
  HW_TRY(const int64_t first, IntegerOr(bound[0], 0, "range"));
  HW_TRY(const int64_t second, IntegerOr(bound[1], 0, "range"));
  HW_TRY(const int64_t step, IntegerOr(bound[2], 1, "range"));
  if (step == 0) return Wrong("range: expected a step, found zero");
  const int64_t start = bound[1] ? first : 0;
  const int64_t stop = bound[1] ? second : first;
  constexpr int64_t kFar = int64_t{1} << 60;
  if (start < -kFar || start > kFar || stop < -kFar || stop > kFar || step < -kFar || step > kFar)
    return Wrong("range: expected smaller numbers, found one above 2^60");
  const int64_t room = step > 0 ? stop - start : start - stop;
  const int64_t pace = step > 0 ? step : -step;
  const int64_t count = room <= 0 ? 0 : (room - 1) / pace + 1;
  if (count > kLongestRange)
    return Wrong(fmt::format("range: expected at most {} numbers, found {}", kLongestRange, count));
  List list{.items = {}, .form = List::Form::kRange, .name = ""};
  list.name = step == 1 ? fmt::format("range({}, {})", start, stop)
                        : fmt::format("range({}, {}, {})", start, stop, step);
  for (int64_t i = 0; i < count; ++i) list.items.push_back(Value::Of(start + i * step));
  return context->Make(std::move(list));
}

// dict(other, name=value, ...); the evaluator makes a namespace from the same.
Result<Value> MakeDict(Context* context, const Arguments& arguments) {
  Dict dict;
  if (arguments.positional.size() > 1)
    return Wrong("dict: expected at most one argument by place, found more");
  if (!arguments.positional.empty()) {
    const Value& other = arguments.positional.front();
    if (other.Is(Kind::kDict)) {
      dict = other.dict();
    } else {
      HW_TRY(const std::vector<Value> pairs, context->Items(other));
      for (const Value& pair : pairs) {
        HW_TRY(const std::vector<Value> parts, context->Items(pair));
        if (parts.size() != 2) return Wrong("dict: expected pairs, found another thing");
        HW_TRY_VOID(CheckKey(parts[0]));
        HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(dict.entries.size())));
        dict.Set(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict.Set(name, value);
  return context->Make(std::move(dict));
}

Result<Value> RaiseException(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("raise_exception", {"message"}, 1));
  HW_TRY(const Text message, context->ToText(*bound[0]));
  return Wrong(
      fmt::format("the template refuses this conversation: {}", PrintableWords(message.bytes())));
}

// The directives whose result depends on no locale but C's.
Result<Value> StrftimeNow(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("strftime_now", {"format"}, 1));
  if (!bound[0]->IsString()) return Wrong("strftime_now: expected a format, found no string");
  const std::string& format = bound[0]->bytes();
  if (format.size() > 200) return Wrong("strftime_now: expected a format of at most 200 bytes");
  std::string text;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    std::string directive = "%";
    if (++i < format.size() && format[i] == '-') directive += format[i++];
    const char letter = i < format.size() ? format[i] : '\0';
    if (letter == '\0' ||
        std::string_view("aAbBcdDeFHIjmMpSTuUwWxXyYZz%nt").find(letter) == std::string_view::npos)
      return Wrong("strftime_now: expected a known directive behind '%', found '" +
                   PrintableWords(std::string_view(&letter, letter == '\0' ? 0 : 1)) + "'");
    directive += letter;
    std::array<char, 200> buffer{};
    text.append(buffer.data(),
                std::strftime(buffer.data(), buffer.size(), directive.c_str(), &context->now));
  }
  return context->Make(Text(std::move(text), bound[0]->text().AnyForeign(0, format.size())));
}

constexpr NamedBuiltin kGlobals[] = {
    {"range", Range},
    {"dict", MakeDict},
    {"raise_exception", RaiseException},
    {"strftime_now", StrftimeNow},
};

Result<Value> DictGet(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("get", {"dict", "key", "default"}, 2));
  const Dict& dict = bound[0]->dict();
  if (!IsHashable(*bound[1]))
    return Wrong(fmt::format("get: expected a key, found {}", bound[1]->TypeName()));
  HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(dict.entries.size() / 8)));
  const Value* found = dict.Find(*bound[1]);
  return found != nullptr ? *found : bound[2].value_or(Value::OfNone());
}

enum class DictPart { kKeys, kValues, kItems };
template <DictPart kPart>
Result<Value> DictView(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("keys, values and items", {"dict"}, 1));
  constexpr const char* kNames[] = {"dict_keys", "dict_values", "dict_items"};
  List view{.items = {}, .form = List::Form::kView, .name = kNames[static_cast<int>(kPart)]};
  for (const auto& [key, value] : bound[0]->dict().entries) {
    if (kPart == DictPart::kItems) {
      HW_TRY(Value pair, context->Make(List{.items = {key, value}, .form = List::Form::kTuple}));
      view.items.push_back(std::move(pair));
    } else {
      view.items.push_back(kPart == DictPart::kKeys ? key : value);
    }
  }
  return context->Make(std::move(view));
}

Result<Value> Copy(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("copy", {"value"}, 1));
  return *bound[0];  // values never change
}

constexpr NamedBuiltin kDictMethods[] = {
    {"get", DictGet},
    {"keys", DictView<DictPart::kKeys>},
    {"values", DictView<DictPart::kValues>},
    {"items", DictView<DictPart::kItems>},
    {"copy", Copy},
};

template <bool kCounts>
Result<Value> ListSearch(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("index and count", {"list", "value"}, 2));
  const std::vector<Value>& items = bound[0]->list().items;
  int64_t count = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    HW_TRY(const bool equal, Equal(items[i], *bound[1], &context->budget));
    if (equal && !kCounts) return Value::Of(static_cast<int64_t>(i));
    count += equal ? 1 : 0;
  }
  if (kCounts) return Value::Of(count);
  return Wrong("index: expected a value that is in the list, found another");
}

constexpr NamedBuiltin kListMethods[] = {
    {"index", ListSearch<false>}, {"count", ListSearch<true>}, {"copy", Copy}};

Result<Value> LoopCycle(Context*, const Arguments& arguments) {
  const size_t choices = arguments.positional.size() - 1;
  if (choices == 0) return Wrong("loop.cycle: expected values, found none");
  return arguments.positional[1 + arguments.positional.front().loop().index % choices];
}

constexpr NamedBuiltin kLoopMethods[] = {{"cycle", LoopCycle}};

}  // namespace

Builtin FindGlobal(std::string_view name) { return FindIn(kGlobals, name); }

Builtin FindMethod(const Value& receiver, std::string_view name) {
  if (receiver.IsString()) return FindTextMethod(name);
  if (receiver.Is(Kind::kDict)) return FindIn(kDictMethods, name);
  if (receiver.Is(Kind::kLoop)) return FindIn(kLoopMethods, name);
  if (!receiver.Is(Kind::kList)) return nullptr;
  if (receiver.list().form == List::Form::kList) return FindIn(kListMethods, name);
  return receiver.list().form == List::Form::kTuple && name != "copy" ? FindIn(kListMethods, name)
                                                                      : nullptr;
}

}  // namespace headway::jinja
