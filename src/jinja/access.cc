// Attributes, items and slices.

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/quoted.h"
#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

Value NoAttribute(const Value& value, std::string_view name) {
  if (value.Is(Kind::kNone))
    return Value::Missing(fmt::format("'None' has no attribute '{}'", PrintableWords(name)));
  return Value::Missing(
      fmt::format("'{}' has no attribute '{}'", value.TypeName(), PrintableWords(name)));
}

std::optional<Value> LoopAttribute(const LoopState& loop, std::string_view name) {
  const auto index = static_cast<int64_t>(loop.index);
  const auto length = static_cast<int64_t>(loop.items.size());
  if (name == "index") return Value::Of(index + 1);
  if (name == "index0") return Value::Of(index);
  if (name == "revindex") return Value::Of(length - index);
  if (name == "revindex0") return Value::Of(length - index - 1);
  if (name == "first") return Value::Of(index == 0);
  if (name == "last") return Value::Of(index + 1 == length);
  if (name == "length") return Value::Of(length);
  if (name == "depth") return Value::Of(int64_t{1});  // of a loop that is not recursive
  if (name == "depth0") return Value::Of(int64_t{0});
  if (name == "previtem")
    return index == 0 ? Value::Missing("there is no previous item") : loop.items[loop.index - 1];
  if (name == "nextitem")
    return index + 1 == length ? Value::Missing("there is no next item")
                               : loop.items[loop.index + 1];
  return std::nullopt;
}

// Attributes alone; nothing where there is none of that name.
std::optional<Value> OwnAttribute(const Value& value, std::string_view name) {
  if (value.Is(Kind::kNamespace)) {
    const Value* found = value.space()->attributes.Find(name);
    return found == nullptr ? std::nullopt : std::optional<Value>(*found);
  }
  if (value.Is(Kind::kLoop)) {
    if (auto found = LoopAttribute(value.loop(), name)) return found;
  }
  // Dunder names and methods that would change the value are closed, as in Jinja's immutable sandbox.
  if (name.starts_with("__")) return std::nullopt;
  if (const Builtin builtin = FindMethod(value, name)) {
    return Value::Of(Function{
        .name = std::string(name), .builtin = builtin, .receiver = value, .macro = nullptr});
  }
  const bool changes_dict =
      value.Is(Kind::kDict) && (name == "pop" || name == "popitem" || name == "clear" ||
                                name == "update" || name == "setdefault");
  const bool changes_list =
      value.Is(Kind::kList) && value.list().form == List::Form::kList &&
      (name == "append" || name == "clear" || name == "pop" || name == "reverse" ||
       name == "insert" || name == "sort" || name == "extend" || name == "remove");
  if (changes_dict || changes_list) {
    return Value::Missing(
        fmt::format("access to attribute '{}' of '{}' is not allowed: templates "
                    "cannot change values",
                    name, value.TypeName()));
  }
  return std::nullopt;
}

const Value* DictItem(const Value& value, const Value& key) {
  return value.Is(Kind::kDict) ? value.dict().Find(key) : nullptr;
}

bool HasPlaces(const Value& value) {
  if (value.IsString()) return true;
  return value.Is(Kind::kList) && value.list().form != List::Form::kView &&
         value.list().form != List::Form::kIterator;
}

// Item `place` of a string or list, from the end where negative.
std::optional<Value> ItemAt(const Value& value, int64_t place) {
  if (!HasPlaces(value)) return std::nullopt;
  const bool is_string = value.IsString();
  const auto size =
      static_cast<int64_t>(is_string ? CountCharacters(value.bytes()) : value.list().items.size());
  if (place < 0) place += size;
  if (place < 0 || place >= size) return std::nullopt;
  if (!is_string) return value.list().items[static_cast<size_t>(place)];
  const std::string_view bytes = value.bytes();
  const size_t begin = ByteOfCharacter(bytes, static_cast<size_t>(place));
  return Value::Of(value.text().Slice(begin, begin + CharacterBytes(bytes.substr(begin))));
}

}  // namespace

Result<Value> GetAttribute(const Value& value, std::string_view name) {
  if (value.IsUndefined()) return Wrong(value.Reason());
  if (auto found = OwnAttribute(value, name)) return *std::move(found);
  if (value.Is(Kind::kDict)) {
    if (const Value* found = value.dict().Find(name)) return *found;
  }
  return NoAttribute(value, name);
}

Result<Value> GetItem(const Value& value, const Value& key, Context* context) {
  if (value.IsUndefined()) return Wrong(value.Reason());
  if (value.Is(Kind::kDict))
    HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(value.dict().entries.size() / 8)));
  if (const Value* found = DictItem(value, key)) return *found;
  if (const auto place = key.AsInteger()) {
    if (value.IsString())
      HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(value.bytes().size() / 16)));
    if (auto found = ItemAt(value, *place)) return *std::move(found);
  }
  if (key.IsString()) {
    if (auto found = OwnAttribute(value, key.bytes())) return *std::move(found);
    return NoAttribute(value, key.bytes());
  }
  HW_TRY(const Text shown, Repr(key, &context->budget));
  return Value::Missing(
      fmt::format("{} has no element {}", value.TypeName(), PrintableWords(shown.bytes())));
}

Result<Value> GetPath(Value value, const Value& path, Context* context) {
  if (!path.IsString()) return GetItem(value, path, context);
  for (std::string_view rest = path.bytes();;) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    const bool is_number = !part.empty() && part.size() < 10 &&
                           part.find_first_not_of("0123456789") == std::string_view::npos;
    const Value key =
        is_number ? Value::Of(int64_t{std::stol(std::string(part))}) : Value::Of(part);
    HW_TRY(value, GetItem(value, key, context));
    if (dot == rest.size()) return value;
    rest.remove_prefix(dot + 1);
  }
}

Result<Value> GetSlice(const Value& value, const Value* begin, const Value* end, const Value* step,
                       Context* context) {
  if (value.IsUndefined()) return Wrong(value.Reason());
  if (!HasPlaces(value)) {
    return Value::Missing(fmt::format("{} has no slices", value.TypeName()));
  }
  const auto number = [](const Value* part, int64_t otherwise) -> Result<int64_t> {
    if (part == nullptr || part->Is(Kind::kNone)) return otherwise;
    if (const auto integer = part->AsInteger()) return *integer;
    if (part->IsUndefined()) return Wrong(part->Reason());
    return Wrong(fmt::format("slice: expected integers or none, found {}", part->TypeName()));
  };
  if (value.IsString())
    HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(value.bytes().size() / 16)));
  const auto size = static_cast<int64_t>(value.IsString() ? CountCharacters(value.bytes())
                                                          : value.list().items.size());
  HW_TRY(const int64_t stride, number(step, 1));
  if (stride == 0) return Wrong("slice: expected a step, found zero");
  const bool forward = stride > 0;
  HW_TRY(int64_t from, number(begin, forward ? 0 : size - 1));
  constexpr int64_t kLeftOut = std::numeric_limits<int64_t>::min();
  HW_TRY(int64_t to, number(end, kLeftOut));
  const int64_t lowest = forward ? 0 : -1;
  const int64_t highest = forward ? size : size - 1;
  if (from < 0 && begin != nullptr && !begin->Is(Kind::kNone)) from += size;
  from = std::clamp(from, lowest, highest);
  if (end == nullptr || end->Is(Kind::kNone)) {
    to = forward ? size : -1;
  } else {
    if (to < 0) to = std::max(to, -size - 1) + size;
    to = std::clamp(to, lowest, highest);
  }
  if (value.IsString() && stride == 1) {
    const size_t first = ByteOfCharacter(value.bytes(), static_cast<size_t>(from));
    const size_t last = ByteOfCharacter(value.bytes(), static_cast<size_t>(std::max(from, to)));
    return context->Make(value.text().Slice(first, last));
  }
  std::vector<Value> letters;
  if (value.IsString()) {
    HW_TRY(letters, context->Items(value));
  }
  const std::vector<Value>& items = value.IsString() ? letters : value.list().items;
  std::vector<Value> chosen;
  const int64_t room = forward ? to - from : from - to;
  const int64_t pace =
      stride == kLeftOut ? std::numeric_limits<int64_t>::max() : (forward ? stride : -stride);
  const int64_t count = room <= 0 ? 0 : (room - 1) / pace + 1;
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(items[static_cast<size_t>(from + i * stride)]);
  if (!value.IsString())
    return context->Make(List{
        .items = std::move(chosen),
        .form = value.list().form == List::Form::kTuple ? List::Form::kTuple : List::Form::kList});
  Text text;
  for (const Value& letter : chosen) text.Append(letter.text());
  return context->Make(std::move(text));
}

}  // namespace headway::jinja
