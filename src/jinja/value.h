#pragma once

// Values as templates see them: Python's, without what changes them. Copying a value is cheap and
// shares what it holds; only a namespace's attributes ever change, and the evaluator owns those.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "jinja/text.h"

namespace headway::jinja {

class Value;
struct List;
struct Dict;
struct Function;
struct LoopState;
struct Namespace;

struct None {};
// What was not there, and the error that using it gives.
struct Undefined {
  std::shared_ptr<const std::string> reason;
};

class Value {
 public:
  enum class Kind {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,  // a tuple, a view and an iterator too
    kDict,
    kFunction,
    kLoop,
    kNamespace,
  };

  Value() : held_(Undefined{}) {}
  static Value Missing(std::string reason);
  static Value OfNone() { return Value(Held(None{})); }
  static Value Of(bool value) { return Value(Held(value)); }
  static Value Of(int64_t value) { return Value(Held(value)); }
  static Value Of(double value) { return Value(Held(value)); }
  static Value Of(Text text);
  static Value Of(std::string_view text);                                   // the template's own
  static Value Of(const char* text) { return Of(std::string_view(text)); }  // not as a bool
  static Value Of(List list);
  static Value Of(Dict dict);
  static Value Of(Function function);
  static Value Of(std::shared_ptr<LoopState> loop) { return Value(Held(std::move(loop))); }
  static Value Of(Namespace* space) { return Value(Held(space)); }  // not owned

  Kind kind() const { return static_cast<Kind>(held_.index()); }
  bool Is(Kind k) const { return kind() == k; }
  bool IsString() const { return Is(Kind::kString); }
  bool IsUndefined() const { return Is(Kind::kUndefined); }

  // Of that kind only.
  bool boolean() const { return std::get<bool>(held_); }
  int64_t integer() const { return std::get<int64_t>(held_); }
  double real() const { return std::get<double>(held_); }
  const Text& text() const { return *std::get<std::shared_ptr<const Text>>(held_); }
  const std::string& bytes() const { return text().bytes(); }
  const List& list() const { return *std::get<std::shared_ptr<const List>>(held_); }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(held_); }
  const Function& function() const { return *std::get<std::shared_ptr<const Function>>(held_); }
  const LoopState& loop() const { return *std::get<std::shared_ptr<LoopState>>(held_); }
  Namespace* space() const { return std::get<Namespace*>(held_); }

  // Why it is undefined.
  std::string Reason() const;
  // Of an int or a bool, which is one in Python.
  std::optional<int64_t> AsInteger() const;
  // Of an int, a bool or a float.
  std::optional<double> AsNumber() const;
  // Levels of nesting; 0 for what holds no other value. Everything that walks values may recurse,
  // because the evaluator refuses to make deeper ones than kDeepestValue.
  int Depth() const;
  // Python's bool().
  bool IsTrue() const;
  // As Python names the type, for messages: "str", "NoneType".
  std::string_view TypeName() const;

 private:
  using Held =
      std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>,
                   std::shared_ptr<const List>, std::shared_ptr<const Dict>,
                   std::shared_ptr<const Function>, std::shared_ptr<LoopState>, Namespace*>;
  explicit Value(Held held) : held_(std::move(held)) {}
  Held held_;
};

// What a rendering may cost. A hostile template ends with an error that says which bound it met.
struct Budget {
  int64_t steps = 0;  // nodes evaluated, items looked at
  int64_t bytes = 0;  // of texts and lists that were built

  Result<void> Step(int64_t count = 1);
  Result<void> Build(size_t num_bytes);
};

inline constexpr int kDeepestValue = 400;

struct List {
  enum class Form {
    kList,
    kTuple,
    kRange,     // prints as range(a, b)
    kView,      // of a dict: has a length, but no places
    kIterator,  // of a lazy filter: neither, true, and empty once it has been read
  };
  std::vector<Value> items = {};
  Form form = Form::kList;
  std::string name = {};      // how a range, view or iterator prints; a view's needs its items
  mutable bool read = false;  // of an iterator
  int depth = 0;              // levels of nesting, set by Value::Of
};

struct Dict {
  // In the order they were written. Keys are None, numbers and strings.
  std::vector<std::pair<Value, Value>> entries = {};
  int depth = 0;  // levels of nesting, set by Value::Of

  const Value* Find(std::string_view name) const;
  const Value* Find(const Value& key) const;
  // Replaces the value of an equal key.
  void Set(Value key, Value value);
  void Set(std::string_view name, Value value);
};

struct Macro;
struct Arguments;
struct Context;
using Builtin = Result<Value> (*)(Context* context, const Arguments& arguments);

// One of: a function of ours, a method bound to its receiver, a macro.
struct Function {
  std::string name = {};
  Builtin builtin = nullptr;
  std::optional<Value> receiver = {};
  const Macro* macro = nullptr;  // owned by the evaluator
};

struct LoopState {
  std::vector<Value> items = {};
  size_t index = 0;
  int value_depth = 0;  // of the deepest item
};

struct Namespace {
  Dict attributes;
};

// Python's == of None, numbers and strings; false for everything else.
bool EqualScalars(const Value& a, const Value& b);
// Python's ==. Undefined equals undefined. Errors: the budget's.
Result<bool> Equal(const Value& a, const Value& b, Budget* budget);
// Python's <, for numbers, strings, and lists of such. Errors: kInvalidInput, naming the types; the
// budget's.
Result<bool> Less(const Value& a, const Value& b, Budget* budget);
// What Python lets be a key of a dict or an item of a set.
bool IsHashable(const Value& value);
// What a loop over `value` runs through. Reads an iterator up. Errors: kInvalidInput.
Result<std::vector<Value>> Iterate(const Value& value);

// An error without its place; the evaluator adds that.
tl::unexpected<Error> Wrong(std::string message);

}  // namespace headway::jinja
