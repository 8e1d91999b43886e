#include "jinja/value.h"

#include <fmt/format.h>

#include <algorithm>

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

bool IsPlainSequence(const Value& value) {
  return value.Is(Kind::kList) &&
         (value.list().form == List::Form::kList || value.list().form == List::Form::kTuple);
}

int DeepestOf(const std::vector<Value>& items) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.Depth());
  return deepest;
}

Result<bool> EqualLists(const List& a, const List& b, Budget* budget) {
  if (a.form != b.form || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    HW_TRY(const bool equal, Equal(a.items[i], b.items[i], budget));
    if (!equal) return false;
  }
  return true;
}

Result<bool> EqualDicts(const Dict& a, const Dict& b, Budget* budget) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& entry : a.entries) {
    HW_TRY_VOID(budget->Step(static_cast<int64_t>(b.entries.size())));
    const Value* other = b.Find(entry.first);
    if (other == nullptr) return false;
    HW_TRY(const bool equal, Equal(entry.second, *other, budget));
    if (!equal) return false;
  }
  return true;
}

// Exact also where a double cannot hold the integer.
bool EqualNumbers(const Value& a, const Value& b) {
  const auto left = a.AsInteger();
  const auto right = b.AsInteger();
  if (left && right) return *left == *right;
  const auto real = left ? b.AsNumber() : a.AsNumber();
  if (!left && !right) return *a.AsNumber() == *b.AsNumber();
  const int64_t whole = left ? *left : *right;
  if (!(*real >= -9223372036854775808.0 && *real < 9223372036854775808.0)) return false;
  return static_cast<double>(static_cast<int64_t>(*real)) == *real &&
         static_cast<int64_t>(*real) == whole;
}

}  // namespace

tl::unexpected<Error> Wrong(std::string message) {
  return Fail(ErrorCode::kInvalidInput, std::move(message));
}

Result<void> Budget::Step(int64_t count) {
  steps -= count;
  if (steps >= 0) return {};
  return Wrong("expected a rendering of fewer steps, found that it goes on");
}

Result<void> Budget::Build(size_t num_bytes) {
  bytes -= static_cast<int64_t>(std::min<size_t>(num_bytes, size_t{1} << 40));
  if (bytes >= 0) return {};
  return Wrong("expected a rendering that builds less text, found that it goes on");
}

Value Value::Missing(std::string reason) {
  return Value(Held(Undefined{std::make_shared<const std::string>(std::move(reason))}));
}
Value Value::Of(Text text) { return Value(Held(std::make_shared<const Text>(std::move(text)))); }
Value Value::Of(std::string_view text) { return Of(Text(std::string(text))); }
Value Value::Of(List list) {
  list.depth = 1 + DeepestOf(list.items);
  return Value(Held(std::make_shared<const List>(std::move(list))));
}
Value Value::Of(Dict dict) {
  dict.depth = 1;
  for (const auto& entry : dict.entries)
    dict.depth = std::max(dict.depth, 1 + entry.second.Depth());
  return Value(Held(std::make_shared<const Dict>(std::move(dict))));
}
Value Value::Of(Function function) {
  return Value(Held(std::make_shared<const Function>(std::move(function))));
}

std::string Value::Reason() const {
  const auto& reason = std::get<Undefined>(held_).reason;
  return reason == nullptr ? "the value is undefined" : *reason;
}

std::optional<int64_t> Value::AsInteger() const {
  if (Is(Kind::kInt)) return integer();
  if (Is(Kind::kBool)) return boolean() ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::AsNumber() const {
  if (Is(Kind::kFloat)) return real();
  if (const auto whole = AsInteger()) return static_cast<double>(*whole);
  return std::nullopt;
}

int Value::Depth() const {
  switch (kind()) {
    case Kind::kList:
      return list().depth;
    case Kind::kDict:
      return dict().depth;
    case Kind::kFunction:
      return function().receiver ? 1 + function().receiver->Depth() : 0;
    case Kind::kLoop:
      return 1 + loop().value_depth;
    case Kind::kUndefined:
    case Kind::kNone:
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
    case Kind::kString:
    case Kind::kNamespace:
      return 0;
  }
  return 0;
}

bool Value::IsTrue() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return boolean();
    case Kind::kInt:
      return integer() != 0;
    case Kind::kFloat:
      return real() != 0.0;
    case Kind::kString:
      return !bytes().empty();
    case Kind::kList:
      return list().form == List::Form::kIterator || !list().items.empty();
    case Kind::kDict:
      return !dict().entries.empty();
    case Kind::kFunction:
    case Kind::kLoop:
    case Kind::kNamespace:
      return true;
  }
  return true;
}

std::string_view Value::TypeName() const {
  switch (kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kList:
      switch (list().form) {
        case List::Form::kList:
          return "list";
        case List::Form::kTuple:
          return "tuple";
        case List::Form::kRange:
          return "range";
        case List::Form::kView:
        case List::Form::kIterator:
          return list().name;
      }
      return "list";
    case Kind::kDict:
      return "dict";
    case Kind::kFunction:
      return "function";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kNamespace:
      return "Namespace";
  }
  return "";
}

const Value* Dict::Find(std::string_view name) const {
  for (const auto& [key, value] : entries) {
    if (key.IsString() && key.bytes() == name) return &value;
  }
  return nullptr;
}

const Value* Dict::Find(const Value& key) const {
  for (const auto& [mine, value] : entries) {
    if (EqualScalars(mine, key)) return &value;
  }
  return nullptr;
}

void Dict::Set(Value key, Value value) {
  for (auto& [mine, old] : entries) {
    if (!EqualScalars(mine, key)) continue;
    old = std::move(value);
    return;
  }
  entries.emplace_back(std::move(key), std::move(value));
}

void Dict::Set(std::string_view name, Value value) { Set(Value::Of(name), std::move(value)); }

bool EqualScalars(const Value& a, const Value& b) {
  if (a.AsNumber() && b.AsNumber()) return EqualNumbers(a, b);
  if (a.IsString() && b.IsString()) return a.bytes() == b.bytes();
  return a.Is(Kind::kNone) && b.Is(Kind::kNone);
}

Result<bool> Equal(const Value& a, const Value& b, Budget* budget) {
  HW_TRY_VOID(budget->Step());
  if (a.AsNumber() && b.AsNumber()) return EqualNumbers(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      return a.bytes() == b.bytes();
    case Kind::kList:
      if (&a.list() == &b.list()) return true;
      return EqualLists(a.list(), b.list(), budget);
    case Kind::kDict:
      return EqualDicts(a.dict(), b.dict(), budget);
    case Kind::kFunction:
      return &a.function() == &b.function();
    case Kind::kLoop:
      return &a.loop() == &b.loop();
    case Kind::kNamespace:
      return a.space() == b.space();
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      break;
  }
  return false;
}

Result<bool> Less(const Value& a, const Value& b, Budget* budget) {
  HW_TRY_VOID(budget->Step());
  const auto left = a.AsInteger();
  const auto right = b.AsInteger();
  if (left && right) return *left < *right;
  if (a.AsNumber() && b.AsNumber()) return *a.AsNumber() < *b.AsNumber();
  if (a.IsString() && b.IsString()) return a.bytes() < b.bytes();
  if (IsPlainSequence(a) && IsPlainSequence(b) && a.list().form == b.list().form) {
    const std::vector<Value>& x = a.list().items;
    const std::vector<Value>& y = b.list().items;
    for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      HW_TRY(const bool equal, Equal(x[i], y[i], budget));
      if (!equal) return Less(x[i], y[i], budget);
    }
    return x.size() < y.size();
  }
  if (a.IsUndefined()) return Wrong(a.Reason());
  if (b.IsUndefined()) return Wrong(b.Reason());
  return Wrong(fmt::format("expected values that can be ordered, found {} and {}", a.TypeName(),
                           b.TypeName()));
}

bool IsHashable(const Value& value) {
  if (value.Is(Kind::kDict)) return false;
  if (!value.Is(Kind::kList)) return true;
  if (value.list().form == List::Form::kList) return false;
  return value.list().form != List::Form::kTuple ||
         std::all_of(value.list().items.begin(), value.list().items.end(), IsHashable);
}

Result<std::vector<Value>> Iterate(const Value& value) {
  if (value.IsUndefined()) return std::vector<Value>();
  if (value.Is(Kind::kList)) {
    const List& list = value.list();
    if (list.form == List::Form::kIterator && std::exchange(list.read, true))
      return std::vector<Value>();
    return list.items;
  }
  std::vector<Value> items;
  if (value.IsString()) {
    const Text& text = value.text();
    for (size_t at = 0; at < text.bytes().size();) {
      const size_t end = at + CharacterBytes(std::string_view(text.bytes()).substr(at));
      items.push_back(Value::Of(text.Slice(at, end)));
      at = end;
    }
    return items;
  }
  if (value.Is(Kind::kDict)) {
    for (const auto& entry : value.dict().entries) items.push_back(entry.first);
    return items;
  }
  return Wrong(fmt::format("expected something to iterate over, found {}", value.TypeName()));
}

}  // namespace headway::jinja
