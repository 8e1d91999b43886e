#include "jinja/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace headway::jinja {
namespace {

using Kind = Value::Kind;

// Python's str.isprintable() is false for these: controls, formats, separators, private use. (It is
// false for code points without a character too, which we print.)
bool PrintsAsItIs(uint32_t c) {
  if (c < 0x7F) return c >= 0x20;
  if (c <= 0xA0 || c == 0xAD || (IsSpace(c) && c != ' ')) return false;
  if (c < 0x600) return true;
  struct Range {
    uint32_t first, last;
  };
  constexpr Range kHidden[] = {{0x600, 0x605},     {0x61C, 0x61C},     {0x6DD, 0x6DD},
                               {0x70F, 0x70F},     {0x890, 0x891},     {0x8E2, 0x8E2},
                               {0x180E, 0x180E},   {0x200B, 0x200F},   {0x2028, 0x202E},
                               {0x2060, 0x206F},   {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},
                               {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},   {0x110BD, 0x110BD},
                               {0x110CD, 0x110CD}, {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3},
                               {0x1D173, 0x1D17A}, {0xE0000, 0xE00FF}, {0xE01F0, 0x10FFFF}};
  return std::none_of(std::begin(kHidden), std::end(kHidden),
                      [&](const Range& range) { return c >= range.first && c <= range.last; });
}

class Printer {
 public:
  explicit Printer(Budget* budget) : budget_(budget) {}

  Result<void> Write(const Value& value, int depth = 0) {
    HW_TRY_VOID(budget_->Step());
    if (depth > 2 * kDeepestValue)
      return Wrong("expected a value without itself, found one within");
    switch (value.kind()) {
      case Kind::kUndefined:
        return Put("Undefined");
      case Kind::kNone:
        return Put("None");
      case Kind::kBool:
        return Put(value.boolean() ? "True" : "False");
      case Kind::kInt:
        return Put(std::to_string(value.integer()));
      case Kind::kFloat:
        return Put(FloatText(value.real()));
      case Kind::kString:
        return Quote(value.text());
      case Kind::kList:
        return WriteList(value.list(), depth);
      case Kind::kDict:
        return WriteDict(value.dict(), depth);
      case Kind::kFunction:
        return Put(value.function().macro == nullptr ? "<function>" : MacroName(value));
      case Kind::kLoop:
        return Put(
            fmt::format("<LoopContext {}/{}>", value.loop().index + 1, value.loop().items.size()));
      case Kind::kNamespace:
        HW_TRY_VOID(Put("<Namespace "));
        HW_TRY_VOID(WriteDict(value.space()->attributes, depth + 1));
        return Put(">");
    }
    return {};
  }
  Text Take() { return std::move(text_); }

 private:
  static std::string MacroName(const Value& value) {
    return fmt::format("<Macro '{}'>", value.function().name);
  }
  Result<void> Put(std::string_view bytes, bool foreign = false) {
    HW_TRY_VOID(budget_->Build(bytes.size()));
    text_.Append(bytes, foreign);
    return {};
  }
  Result<void> WriteItems(const std::vector<Value>& items, int depth) {
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) HW_TRY_VOID(Put(", "));
      HW_TRY_VOID(Write(items[i], depth + 1));
    }
    return {};
  }
  Result<void> WriteList(const List& list, int depth) {
    switch (list.form) {
      case List::Form::kRange:
        return Put(list.name);
      case List::Form::kIterator:
        return Put(fmt::format("<{}>", list.name));
      case List::Form::kView:
        HW_TRY_VOID(Put(list.name + "(["));
        HW_TRY_VOID(WriteItems(list.items, depth));
        return Put("])");
      case List::Form::kTuple:
        HW_TRY_VOID(Put("("));
        HW_TRY_VOID(WriteItems(list.items, depth));
        return Put(list.items.size() == 1 ? ",)" : ")");
      case List::Form::kList:
        break;
    }
    HW_TRY_VOID(Put("["));
    HW_TRY_VOID(WriteItems(list.items, depth));
    return Put("]");
  }
  Result<void> WriteDict(const Dict& dict, int depth) {
    HW_TRY_VOID(Put("{"));
    for (size_t i = 0; i < dict.entries.size(); ++i) {
      if (i > 0) HW_TRY_VOID(Put(", "));
      HW_TRY_VOID(Write(dict.entries[i].first, depth + 1));
      HW_TRY_VOID(Put(": "));
      HW_TRY_VOID(Write(dict.entries[i].second, depth + 1));
    }
    return Put("}");
  }
  Result<void> Quote(const Text& text) {
    const std::string_view bytes = text.bytes();
    const bool doubled =
        bytes.find('\'') != std::string_view::npos && bytes.find('"') == std::string_view::npos;
    const char quote = doubled ? '"' : '\'';
    HW_TRY_VOID(budget_->Step(static_cast<int64_t>(bytes.size() / 16)));
    HW_TRY_VOID(Put(std::string_view(&quote, 1)));
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = CharacterBytes(bytes.substr(at));
      const std::string_view character = bytes.substr(at, size);
      HW_TRY_VOID(Put(Escaped(character, quote), text.ForeignAt(at)));
      at += size;
    }
    return Put(std::string_view(&quote, 1));
  }
  static std::string Escaped(std::string_view character, char quote) {
    const uint32_t c = CodePointOf(character);
    if (c == '\\' || c == static_cast<unsigned char>(quote)) return "\\" + std::string(character);
    if (c == '\n') return "\\n";
    if (c == '\r') return "\\r";
    if (c == '\t') return "\\t";
    if (PrintsAsItIs(c)) return std::string(character);
    if (c < 0x100) return fmt::format("\\x{:02x}", c);
    return c < 0x10000 ? fmt::format("\\u{:04x}", c) : fmt::format("\\U{:08x}", c);
  }

  Budget* budget_;
  Text text_;
};

class JsonPrinter {
 public:
  JsonPrinter(const JsonStyle& style, Budget* budget) : style_(style), budget_(budget) {}

  Result<void> Write(const Value& value, int level) {
    HW_TRY_VOID(budget_->Step());
    switch (value.kind()) {
      case Kind::kNone:
        return Put("null");
      case Kind::kBool:
        return Put(value.boolean() ? "true" : "false");
      case Kind::kInt:
        return Put(std::to_string(value.integer()));
      case Kind::kFloat:
        return Put(JsonFloat(value.real()));
      case Kind::kString:
        return Quote(value.text());
      case Kind::kList:
        if (value.list().form != List::Form::kView && value.list().form != List::Form::kIterator &&
            value.list().form != List::Form::kRange)
          return WriteList(value.list().items, level);
        break;
      case Kind::kDict:
        return WriteDict(value.dict(), level);
      case Kind::kUndefined:
      case Kind::kFunction:
      case Kind::kLoop:
      case Kind::kNamespace:
        break;
    }
    return Wrong(fmt::format("tojson: expected what JSON can hold, found {}", value.TypeName()));
  }
  Text Take() { return std::move(text_); }

 private:
  static std::string JsonFloat(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
    return FloatText(value);
  }
  Result<void> Put(std::string_view bytes, bool foreign = false) {
    HW_TRY_VOID(budget_->Build(bytes.size()));
    text_.Append(bytes, foreign);
    return {};
  }
  Result<void> Break(int level) {
    if (!style_.lines) return {};
    HW_TRY_VOID(Put("\n"));
    for (int i = 0; i < level; ++i) HW_TRY_VOID(Put(style_.indent));
    return {};
  }
  Result<void> WriteList(const std::vector<Value>& items, int level) {
    if (items.empty()) return Put("[]");
    HW_TRY_VOID(Put("["));
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) HW_TRY_VOID(Put(style_.between));
      HW_TRY_VOID(Break(level + 1));
      HW_TRY_VOID(Write(items[i], level + 1));
    }
    HW_TRY_VOID(Break(level));
    return Put("]");
  }
  Result<void> WriteDict(const Dict& dict, int level) {
    if (dict.entries.empty()) return Put("{}");
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    if (style_.sorted) HW_TRY_VOID(Sort(&entries));
    HW_TRY_VOID(Put("{"));
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) HW_TRY_VOID(Put(style_.between));
      HW_TRY_VOID(Break(level + 1));
      const Value& key = entries[i]->first;
      if (key.IsString()) {
        HW_TRY_VOID(Quote(key.text()));
      } else {
        HW_TRY_VOID(Put("\""));
        HW_TRY_VOID(Write(key, level));
        HW_TRY_VOID(Put("\""));
      }
      HW_TRY_VOID(Put(style_.after_name));
      HW_TRY_VOID(Write(entries[i]->second, level + 1));
    }
    HW_TRY_VOID(Break(level));
    return Put("}");
  }
  Result<void> Sort(std::vector<const std::pair<Value, Value>*>* entries) {
    Result<void> outcome;
    std::stable_sort(entries->begin(), entries->end(), [&](const auto* a, const auto* b) {
      const Result<bool> less = Less(a->first, b->first, budget_);
      if (!less) outcome = tl::unexpected<Error>(less.error());
      return less && *less;
    });
    return outcome;
  }
  Result<void> Quote(const Text& text) {
    const std::string_view bytes = text.bytes();
    HW_TRY_VOID(budget_->Step(static_cast<int64_t>(bytes.size() / 16)));
    HW_TRY_VOID(Put("\""));
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = CharacterBytes(bytes.substr(at));
      HW_TRY_VOID(Put(Escaped(bytes.substr(at, size)), text.ForeignAt(at)));
      at += size;
    }
    return Put("\"");
  }
  std::string Escaped(std::string_view character) const {
    constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
    constexpr std::string_view kLetters = "\"\\bfnrt";
    const size_t which = kEscaped.find(character.front());
    if (which != std::string_view::npos) return {'\\', kLetters[which]};
    const uint32_t c = CodePointOf(character);
    const bool as_it_is = c >= 0x20 && (style_.ascii ? c < 0x7F : true);
    if (as_it_is) return std::string(character);
    if (c < 0x10000) return fmt::format("\\u{:04x}", c);
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((c - 0x10000) >> 10),
                       0xDC00 + ((c - 0x10000) & 0x3FF));
  }

  const JsonStyle& style_;
  Budget* budget_;
  Text text_;
};

}  // namespace

std::string FloatText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific)
                       .ptr;
  std::string text(buffer.data(), end);  // d.ddde[+-]dd
  const size_t e = text.find('e');
  const int exponent = std::atoi(text.c_str() + e + 1);
  const bool negative = text.front() == '-';
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = digits.size() > 1 ? "." + digits.substr(1) : "";
    return fmt::format("{}{}{}e{}{:02}", sign, digits.front(), fraction, exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  const std::string fraction = digits.size() > whole ? digits.substr(whole) : "0";
  return sign + digits.substr(0, whole) + "." + fraction;
}

Result<Text> ToText(const Value& value, Budget* budget) {
  if (value.IsString()) return value.text();
  if (value.IsUndefined()) return Text();
  return Repr(value, budget);
}

Result<Text> Repr(const Value& value, Budget* budget) {
  Printer printer(budget);
  HW_TRY_VOID(printer.Write(value));
  return printer.Take();
}

Result<Text> ToJson(const Value& value, const JsonStyle& style, Budget* budget) {
  JsonPrinter printer(style, budget);
  HW_TRY_VOID(printer.Write(value, 0));
  return printer.Take();
}

}  // namespace headway::jinja
