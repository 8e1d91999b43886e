// Filters that give text. All take any value and print it first, as Jinja's do.

#include <fmt/format.h>

#include "jinja/builtins.h"
#include "jinja/characters.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text_operations.h"

namespace headway::jinja {
namespace {

// The filter's value as text.
Result<Text> Subject(Context* context, const Arguments& arguments) {
  HW_TRY(Text text, context->ToText(arguments.positional.front()));
  HW_TRY_VOID(context->budget.Step(static_cast<int64_t>(text.bytes().size() / 16)));
  return text;
}

template <Case kCase>
Result<Value> WithCaseOf(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("upper and lower", {"value"}, 1));
  HW_TRY(const Text text, Subject(context, arguments));
  return context->Make(WithCase(text, kCase));
}

// A title's words begin behind blanks, hyphens and opening brackets.
Result<Value> Title(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("title", {"value"}, 1));
  HW_TRY(const Text text, Subject(context, arguments));
  const std::string_view bytes = text.bytes();
  Text result;
  size_t word = 0;
  const auto finish = [&](size_t end) {
    if (end > word) result.Append(WithCase(text.Slice(word, end), Case::kCapitalized));
    word = end;
  };
  bool behind_border = false;
  for (size_t at = 0; at < bytes.size(); at += CharacterBytes(bytes.substr(at))) {
    const uint32_t c = CodePointOf(bytes.substr(at));
    const bool border = IsSpace(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    if (border != behind_border) finish(at);
    behind_border = border;
  }
  finish(bytes.size());
  return context->Make(std::move(result));
}

Result<Value> Trim(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("trim", {"value", "chars"}, 1));
  HW_TRY(const Text text, Subject(context, arguments));
  if (!bound[1] || bound[1]->Is(Value::Kind::kNone))
    return context->Make(Stripped(text, nullptr, true, true));
  HW_TRY(const Text characters, context->ToText(*bound[1]));
  return context->Make(Stripped(text, &characters.bytes(), true, true));
}

Result<Value> ReplaceIn(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("replace", {"value", "old", "new", "count"}, 3));
  HW_TRY(const Text text, Subject(context, arguments));
  HW_TRY(const Text from, context->ToText(*bound[1]));
  HW_TRY(const Text to, context->ToText(*bound[2]));
  const bool all = !bound[3] || bound[3]->Is(Value::Kind::kNone);
  HW_TRY(const int64_t most, IntegerOr(all ? std::optional<Value>() : bound[3], -1, "replace"));
  HW_TRY(Text replaced, Replaced(text, from.bytes(), to, most, &context->budget));
  return Value::Of(std::move(replaced));
}

Result<Value> Indent(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("indent", {"value", "width", "first", "blank"}, 1));
  if (!bound[0]->IsString()) {
    if (bound[0]->IsUndefined()) return Wrong(bound[0]->Reason());
    return Wrong(fmt::format("indent: expected a string, found {}", bound[0]->TypeName()));
  }
  Text margin;
  if (bound[1] && bound[1]->IsString()) {
    margin = bound[1]->text();
  } else {
    HW_TRY(const int64_t width, IntegerOr(bound[1], 4, "indent"));
    if (width > 10000) return Wrong(fmt::format("indent: expected at most 10000, found {}", width));
    margin = Text(std::string(width < 0 ? 0 : static_cast<size_t>(width), ' '));
  }
  const bool first = bound[2] && bound[2]->IsTrue();
  const bool blank = bound[3] && bound[3]->IsTrue();
  Text text = bound[0]->text();
  text.Append("\n", false);
  Text result;
  const std::vector<LineSpan> lines = LineSpans(text.bytes());
  for (size_t i = 0; i < lines.size(); ++i) {
    const LineSpan& line = lines[i];
    HW_TRY_VOID(context->budget.Build(line.next - line.begin + margin.bytes().size()));
    if (i > 0) result.Append("\n", false);
    const bool indents = i == 0 ? first : blank || line.end > line.begin;
    if (indents) result.Append(margin);
    result.Append(text, line.begin, line.end);
  }
  return Value::Of(std::move(result));
}

Result<Value> AsString(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("string", {"value"}, 1));
  HW_TRY(Text text, context->ToText(*bound[0]));
  return Value::Of(std::move(text));
}

Result<Value> Escape(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("escape", {"value"}, 1));
  HW_TRY(const Text text, Subject(context, arguments));
  Text result;
  for (size_t i = 0; i < text.bytes().size(); ++i) {
    const char c = text.bytes()[i];
    const std::string_view escaped = c == '&'    ? "&amp;"
                                     : c == '<'  ? "&lt;"
                                     : c == '>'  ? "&gt;"
                                     : c == '\'' ? "&#39;"
                                     : c == '"'  ? "&#34;"
                                                 : std::string_view(&text.bytes()[i], 1);
    result.Append(escaped, text.ForeignAt(i));
  }
  return context->Make(std::move(result));
}

Result<Value> Join(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("join", {"value", "d", "attribute"}, 1));
  Text between;
  if (bound[1]) {
    HW_TRY(between, context->ToText(*bound[1]));
  }
  HW_TRY(const std::vector<Value> items, context->Items(*bound[0]));
  Text text;
  for (size_t i = 0; i < items.size(); ++i) {
    Value item = items[i];
    if (bound[2] && !bound[2]->Is(Value::Kind::kNone)) {
      HW_TRY(item, GetPath(item, *bound[2], context));
    }
    HW_TRY(const Text piece, context->ToText(item));
    HW_TRY_VOID(context->budget.Build(piece.bytes().size() + between.bytes().size()));
    if (i > 0) text.Append(between);
    text.Append(piece);
  }
  return Value::Of(std::move(text));
}

Result<Value> PercentFormat(Context* context, const Arguments& arguments) {
  if (!arguments.named.empty())
    return Wrong("format: expected arguments by place, found one by name");
  HW_TRY(const Text pattern, Subject(context, arguments));
  const std::vector<Value> values(arguments.positional.begin() + 1, arguments.positional.end());
  HW_TRY(Text text, FormatPercent(pattern, values, context));
  return context->Make(std::move(text));
}

Result<Value> WordCount(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound, arguments.Bind("wordcount", {"value"}, 1));
  HW_TRY(const Text text, Subject(context, arguments));
  int64_t words = 0;
  bool inside = false;
  for (std::string_view rest = text.bytes(); !rest.empty();
       rest.remove_prefix(CharacterBytes(rest))) {
    const uint32_t c = CodePointOf(rest);
    const bool is_word = IsLetter(c) || IsDecimalDigit(c) || c == '_';
    if (is_word && !inside) ++words;
    inside = is_word;
  }
  return Value::Of(words);
}

// As Hugging Face defines it: json.dumps, nothing escaped for HTML, other scripts as they are.
Result<Value> AsJson(Context* context, const Arguments& arguments) {
  HW_TRY(const auto bound,
         arguments.Bind("tojson", {"x", "ensure_ascii", "indent", "separators", "sort_keys"}, 1));
  const auto given = [&](size_t i) { return bound[i] && !bound[i]->Is(Value::Kind::kNone); };
  JsonStyle style;
  style.ascii = bound[1] && bound[1]->IsTrue();
  style.sorted = bound[4] && bound[4]->IsTrue();
  if (given(2)) {
    style.lines = true;
    style.between = ",";
    if (bound[2]->IsString()) {
      style.indent = bound[2]->bytes();
    } else {
      HW_TRY(const int64_t width, IntegerOr(bound[2], 0, "tojson"));
      if (width > 1000) return Wrong(fmt::format("tojson: expected at most 1000, found {}", width));
      style.indent = std::string(width < 0 ? 0 : static_cast<size_t>(width), ' ');
    }
  }
  if (given(3)) {
    HW_TRY(const std::vector<Value> pair, context->Items(*bound[3]));
    if (pair.size() != 2 || !pair[0].IsString() || !pair[1].IsString())
      return Wrong("tojson: expected two separators, found another thing");
    style.between = pair[0].bytes();
    style.after_name = pair[1].bytes();
  }
  HW_TRY(Text text, ToJson(*bound[0], style, &context->budget));
  return Value::Of(std::move(text));
}

constexpr NamedBuiltin kTextFilters[] = {
    {"upper", WithCaseOf<Case::kUpper>},
    {"lower", WithCaseOf<Case::kLower>},
    {"capitalize", WithCaseOf<Case::kCapitalized>},
    {"title", Title},
    {"trim", Trim},
    {"replace", ReplaceIn},
    {"indent", Indent},
    {"string", AsString},
    {"safe", AsString},
    {"escape", Escape},
    {"e", Escape},
    {"join", Join},
    {"format", PercentFormat},
    {"wordcount", WordCount},
    {"tojson", AsJson},
};

}  // namespace

Builtin FindTextFilter(std::string_view name) { return FindIn(kTextFilters, name); }

}  // namespace headway::jinja
