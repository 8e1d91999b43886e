// Methods of strings.

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/quoted.h"
#include "jinja/builtins.h"
#include "jinja/characters.h"
#include "jinja/print.h"
#include "jinja/text_operations.h"

namespace headway::jinja {
namespace {

const Text& Self(const Arguments& arguments) { return arguments.positional.front().text(); }

Result<std::optional<Text>> TextOrNone(const std::optional<Value>& value, std::string_view what) {
  if (!value || value->Is(Value::Kind::kNone)) return std::optional<Text>();
  if (value->IsString()) return std::optional<Text>(value->text());
  if (value->IsUndefined()) return Wrong(value->Reason());
  return Wrong(fmt::format("{}: expected a string, found {}", what, value->TypeName()));
}

Result<Text> TextOf(const std::optional<Value>& value, std::string_view what) {
  HW_TRY(std::optional<Text> text, TextOrNone(value, what));
  if (!text) return Wrong(fmt::format("{}: expected a string, found None", what));
  return *std::move(text);
}

template <bool kLeft, bool kRight>
Result<Value> Strip(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("strip", {"text", "chars"}, 1));
  HW_TRY(const auto characters, TextOrNone(bound[1], "strip"));
  return context->Make(
      Stripped(Self(arguments), characters ? &characters->bytes() : nullptr, kLeft, kRight));
}

template <Case kCase>
Result<Value> ChangeCase(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("upper and lower", {"text"}, 1));
  HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(Self(arguments).bytes().size() / 16)));
  return context->Make(WithCase(Self(arguments), kCase));
}

template <bool kFromEnd>
Result<Value> Split(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("split", {"text", "sep", "maxsplit"}, 1));
  HW_TRY(const auto separator, TextOrNone(bound[1], "split"));
  HW_TRY(const int64_t most, IntegerOr(bound[2], -1, "split"));
  if (separator && separator->bytes().empty())
    return Wrong("split: expected a separator, found ''");
  std::vector<Value> pieces;
  for (const ByteSpan& piece : SplitSpans(
           Self(arguments).bytes(), separator ? &separator->bytes() : nullptr, most, kFromEnd)) {
    HW_TRY(Value text, context->Make(Self(arguments).Slice(piece.begin, piece.end)));
    pieces.push_back(std::move(text));
  }
  return context->MakeList(std::move(pieces));
}

Result<Value> SplitLines(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("splitlines", {"text", "keepends"}, 1));
  const bool keeps = bound[1] && bound[1]->IsTrue();
  std::vector<Value> lines;
  for (const LineSpan& line : LineSpans(Self(arguments).bytes())) {
    HW_TRY(Value text,
           context->Make(Self(arguments).Slice(line.begin, keeps ? line.next : line.end)));
    lines.push_back(std::move(text));
  }
  return context->MakeList(std::move(lines));
}

template <bool kFromEnd>
Result<Value> Partition(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("partition", {"text", "sep"}, 2));
  HW_TRY(const Text separator, TextOf(bound[1], "partition"));
  if (separator.bytes().empty()) return Wrong("partition: expected a separator, found ''");
  const Text& text = Self(arguments);
  const std::string& bytes = text.bytes();
  const size_t at = kFromEnd ? bytes.rfind(separator.bytes()) : bytes.find(separator.bytes());
  List parts{.items = {}, .form = List::Form::kTuple};
  if (at == std::string::npos) {
    parts.items = {Value::Of(text), Value::Of(Text()), Value::Of(Text())};
    if (kFromEnd) std::swap(parts.items[0], parts.items[2]);
  } else {
    const size_t behind = at + separator.bytes().size();
    parts.items = {Value::Of(text.Slice(0, at)), Value::Of(text.Slice(at, behind)),
                   Value::Of(text.Slice(behind, bytes.size()))};
  }
  HW_TRY_VOID(context->budget.Build(bytes.size()));
  return context->Make(std::move(parts));
}

// The bytes of characters [begin, end), the arguments behind the text looked for.
Result<ByteSpan> Stretch(const Text& text, const std::optional<Value>& begin,
                         const std::optional<Value>& end) {
  const std::string_view bytes = text.bytes();
  if (!begin && !end) return ByteSpan{0, bytes.size()};
  const auto size = static_cast<int64_t>(CountCharacters(bytes));
  const auto place = [&](const std::optional<Value>& value, int64_t otherwise) -> Result<int64_t> {
    const bool none = !value || value->Is(Value::Kind::kNone);
    HW_TRY(int64_t at, IntegerOr(none ? std::optional<Value>() : value, otherwise, "find"));
    if (at < 0) at = std::max<int64_t>(at, -size) + size;
    return std::min(at, size + 1);
  };
  HW_TRY(const int64_t from, place(begin, 0));
  HW_TRY(const int64_t to, place(end, size));
  if (from > size) return ByteSpan{1, 0};  // not even an empty text is there
  return ByteSpan{ByteOfCharacter(bytes, static_cast<size_t>(from)),
                  ByteOfCharacter(bytes, static_cast<size_t>(to))};
}

template <bool kIsEnd>
Result<Value> HasEnd(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound,
         arguments.Bind(kIsEnd ? "endswith" : "startswith", {"text", "part", "start", "end"}, 2));
  HW_TRY(const ByteSpan stretch, Stretch(Self(arguments), bound[2], bound[3]));
  if (stretch.begin > stretch.end) return Value::Of(false);
  const std::string_view text =
      std::string_view(Self(arguments).bytes()).substr(stretch.begin, stretch.end - stretch.begin);
  std::vector<Value> parts = {*bound[1]};
  if (bound[1]->Is(Value::Kind::kList) && bound[1]->list().form == List::Form::kTuple)
    parts = bound[1]->list().items;
  for (const Value& part : parts) {
    HW_TRY(const Text bytes, TextOf(part, kIsEnd ? "endswith" : "startswith"));
    if (kIsEnd ? text.ends_with(bytes.bytes()) : text.starts_with(bytes.bytes()))
      return Value::Of(true);
  }
  return Value::Of(false);
}

template <bool kFromEnd, bool kMustBeThere>
Result<Value> Search(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("find", {"text", "part", "start", "end"}, 2));
  HW_TRY(const Text part, TextOf(bound[1], "find"));
  HW_TRY(const ByteSpan stretch, Stretch(Self(arguments), bound[2], bound[3]));
  const std::string_view bytes = Self(arguments).bytes();
  HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(bytes.size() / 16)));
  size_t at = std::string_view::npos;
  if (stretch.begin <= stretch.end) {
    const std::string_view within = bytes.substr(stretch.begin, stretch.end - stretch.begin);
    at = kFromEnd ? within.rfind(part.bytes()) : within.find(part.bytes());
  }
  if (at == std::string_view::npos) {
    if (kMustBeThere) return Wrong("index: expected a text that is there, found another");
    return Value::Of(int64_t{-1});
  }
  return Value::Of(static_cast<int64_t>(CountCharacters(bytes.substr(0, stretch.begin + at))));
}

Result<Value> CountIn(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("count", {"text", "part"}, 2));
  HW_TRY(const Text part, TextOf(bound[1], "count"));
  const std::string& bytes = Self(arguments).bytes();
  HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(bytes.size() / 16)));
  if (part.bytes().empty()) return Value::Of(static_cast<int64_t>(CountCharacters(bytes)) + 1);
  int64_t count = 0;
  for (size_t at = bytes.find(part.bytes()); at != std::string::npos;
       at = bytes.find(part.bytes(), at + part.bytes().size()))
    ++count;
  return Value::Of(count);
}

Result<Value> Replace(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("replace", {"text", "old", "new", "count"}, 3));
  HW_TRY(const Text from, TextOf(bound[1], "replace"));
  HW_TRY(const Text to, TextOf(bound[2], "replace"));
  HW_TRY(const int64_t most, IntegerOr(bound[3], -1, "replace"));
  HW_TRY(Text text, Replaced(Self(arguments), from.bytes(), to, most, &context->budget));
  return Value::Of(std::move(text));
}

Result<Value> JoinItems(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("join", {"text", "items"}, 2));
  HW_TRY(const std::vector<Value> items, context->Items(*bound[1]));
  Text text;
  for (size_t i = 0; i < items.size(); ++i) {
    HW_TRY(const Text item, TextOf(items[i], "join"));
    HW_TRY_VOID(context->budget.Build(item.bytes().size() + Self(arguments).bytes().size()));
    if (i > 0) text.Append(Self(arguments));
    text.Append(item);
  }
  return Value::Of(std::move(text));
}

template <bool kIsSuffix>
Result<Value> WithoutEnd(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("removeprefix", {"text", "part"}, 2));
  HW_TRY(const Text part, TextOf(bound[1], "removeprefix"));
  const Text& text = Self(arguments);
  const size_t size = part.bytes().size();
  const size_t all = text.bytes().size();
  if (kIsSuffix && text.bytes().ends_with(part.bytes()))
    return context->Make(text.Slice(0, all - size));
  if (!kIsSuffix && text.bytes().starts_with(part.bytes()))
    return context->Make(text.Slice(size, all));
  return arguments.positional.front();
}

using IsKind = bool (*)(uint32_t);
template <IsKind kIs>
Result<Value> AllAre(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("isalpha and the like", {"text"}, 1));
  std::string_view rest = Self(arguments).bytes();
  HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(rest.size() / 16)));
  bool all = !rest.empty();
  for (; all && !rest.empty(); rest.remove_prefix(CharacterBytes(rest)))
    all = kIs(CodePointOf(rest));
  return Value::Of(all);
}

bool IsLetterOrDigit(uint32_t c) { return IsLetter(c) || IsDecimalDigit(c); }

template <bool kUpperCase>
Result<Value> HasCase(Context*, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("isupper and islower", {"text"}, 1));
  return Value::Of(IsAllCase(Self(arguments).bytes(), kUpperCase));
}

// str.format() with {}, {0} and {name}, and doubled braces.
Result<Value> FormatBraces(Context* context, const Arguments& arguments) {
  const Text& pattern = Self(arguments);
  const std::string_view bytes = pattern.bytes();
  Text text;
  size_t next = 1;
  for (size_t at = 0; at < bytes.size();) {
    const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
    text.Append(pattern, at, brace);
    if (brace == bytes.size()) break;
    if (bytes.substr(brace + 1, 1) == bytes.substr(brace, 1)) {
      text.Append(pattern, brace, brace + 1);
      at = brace + 2;
      continue;
    }
    const size_t end = bytes.find('}', brace);
    if (bytes[brace] == '}' || end == std::string_view::npos)
      return Wrong("format: expected braces in pairs, found one alone");
    const std::string name(bytes.substr(brace + 1, end - brace - 1));
    std::optional<Value> value;
    const bool is_number =
        name.size() < 6 && name.find_first_not_of("0123456789") == std::string::npos;
    const size_t place = name.empty() ? next++ : is_number ? 1 + std::stoul(name) : 0;
    if (place > 0 && place < arguments.positional.size()) value = arguments.positional[place];
    for (const auto& [key, named] : arguments.named) {
      if (key == name) value = named;
    }
    if (!value) {
      return Wrong(
          fmt::format("format: expected an argument for '{{{}}}' (no format behind a name is "
                      "understood here), found none",
                      PrintableWords(name)));
    }
    HW_TRY(const Text piece, context->ToText(*value));
    HW_TRY_VOID(context->budget.Build(piece.bytes().size()));
    text.Append(piece);
    at = end + 1;
  }
  return context->Make(std::move(text));
}

constexpr NamedBuiltin kTextMethods[] = {
    {"strip", Strip<true, true>},
    {"lstrip", Strip<true, false>},
    {"rstrip", Strip<false, true>},
    {"upper", ChangeCase<Case::kUpper>},
    {"lower", ChangeCase<Case::kLower>},
    {"casefold", ChangeCase<Case::kLower>},
    {"title", ChangeCase<Case::kTitle>},
    {"capitalize", ChangeCase<Case::kCapitalized>},
    {"swapcase", ChangeCase<Case::kSwapped>},
    {"split", Split<false>},
    {"rsplit", Split<true>},
    {"splitlines", SplitLines},
    {"partition", Partition<false>},
    {"rpartition", Partition<true>},
    {"startswith", HasEnd<false>},
    {"endswith", HasEnd<true>},
    {"find", Search<false, false>},
    {"rfind", Search<true, false>},
    {"index", Search<false, true>},
    {"rindex", Search<true, true>},
    {"count", CountIn},
    {"replace", Replace},
    {"join", JoinItems},
    {"format", FormatBraces},
    {"removeprefix", WithoutEnd<false>},
    {"removesuffix", WithoutEnd<true>},
    {"isalpha", AllAre<IsLetter>},
    {"isdigit", AllAre<IsDecimalDigit>},
    {"isdecimal", AllAre<IsDecimalDigit>},
    {"isnumeric", AllAre<IsDecimalDigit>},
    {"isalnum", AllAre<IsLetterOrDigit>},
    {"isspace", AllAre<IsSpace>},
    {"isupper", HasCase<true>},
    {"islower", HasCase<false>},
};

}  // namespace

Builtin FindTextMethod(std::string_view name) { return FindIn(kTextMethods, name); }

}  // namespace headway::jinja
