#include "grammar/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "grammar/decimal.h"
#include "grammar/json_value.h"
#include "grammar/number_sets.h"

namespace headway::grammar {
namespace {

Expression Optional(Expression part) { return Repeat(std::move(part), 0, 1); }

// What cannot stand in a string as it is.
const std::vector<CodeRange> kMustEscape = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};

std::vector<CodeRange> Intersection(const std::vector<CodeRange>& a,
                                    const std::vector<CodeRange>& b) {
  std::vector<CodeRange> both;
  for (const CodeRange& x : a) {
    for (const CodeRange& y : b) {
      const CodeRange range = {std::max(x.first, y.first), std::min(x.last, y.last)};
      if (range.first <= range.last) both.push_back(range);
    }
  }
  return both;
}

Expression HexDigit(uint32_t first, uint32_t last) {
  std::vector<CodeRange> digits;
  if (first < 10) digits.push_back({'0' + first, '0' + std::min(last, 9U)});
  for (const uint32_t letter : {uint32_t{'a'}, uint32_t{'A'}}) {
    if (last >= 10) digits.push_back({letter + std::max(first, 10U) - 10, letter + last - 10});
  }
  return Class(std::move(digits));
}

// Exactly the numbers of a range in `digits` hexadecimal digits.
Expression HexRange(uint32_t first, uint32_t last, int digits) {
  if (digits == 0) return Sequence({});
  const uint32_t unit = uint32_t{1} << 4 * (digits - 1);
  std::vector<Expression> ways;
  while (first <= last) {
    // As many whole units as there are, or the part of one.
    const bool whole = first % unit == 0 && last - first >= unit - 1;
    const uint32_t end = whole ? first + (last - first + 1) / unit * unit - 1
                               : std::min(last, first / unit * unit + unit - 1);
    ways.push_back(Sequence(
        {HexDigit(first / unit, end / unit), HexRange(first % unit, end % unit, digits - 1)}));
    first = end + 1;
  }
  return Choice(std::move(ways));
}

// A range above U+FFFF as pairs of surrogates.
Expression PairRange(uint32_t first, uint32_t last) {
  first -= 0x10000;
  last -= 0x10000;
  std::vector<Expression> ways;
  while (first <= last) {
    const bool whole = first % 0x400 == 0 && last - first >= 0x3FF;
    const uint32_t end = whole ? first + (last - first + 1) / 0x400 * 0x400 - 1
                               : std::min(last, first / 0x400 * 0x400 + 0x3FF);
    ways.push_back(
        Sequence({Text("\\u"), HexRange(0xD800 + first / 0x400, 0xD800 + end / 0x400, 4),
                  Text("\\u"), HexRange(0xDC00 + first % 0x400, 0xDC00 + end % 0x400, 4)}));
    first = end + 1;
  }
  return Choice(std::move(ways));
}

// -?whole(.fraction)?, and an exponent.
Expression AnyNumber(int64_t digits, int64_t exponent_digits) {
  const Expression digit = Class({{'0', '9'}});
  const Expression whole =
      Choice({Text("0"), Sequence({Class({{'1', '9'}}), Repeat(digit, 0, digits - 1)})});
  const Expression fraction = Optional(Sequence({Text("."), Repeat(digit, 1, digits)}));
  const Expression exponent =
      Optional(Sequence({Class({{'e', 'e'}, {'E', 'E'}}), Optional(Class({{'-', '-'}, {'+', '+'}})),
                         Repeat(digit, 1, exponent_digits)}));
  return Sequence({Optional(Text("-")), whole, fraction, exponent});
}

// Digits before and after the point at most: a model that went on for ever would never end. Enough
// for 64 bits.
constexpr int64_t kFewDigits = 20;
constexpr int64_t kManyDigits = 400;
constexpr int64_t kFewExponentDigits = 3;
constexpr int64_t kNoLimit = Expression::kNoLimit;
// In a run of free white space.
constexpr int64_t kMostLineBreaks = 2;
constexpr int64_t kMostBlanks = 16;

}  // namespace

JsonText::JsonText(const SchemaOptions& options, Rules* rules) : options_(options), rules_(rules) {
  AddAnyValue();
}

bool JsonText::IsCanonical() const { return !options_.any_spelling && !options_.free_white_space; }
Expression JsonText::Space() const { return IsCanonical() ? Sequence({}) : Rule("space"); }
Expression JsonText::Comma() const {
  return IsCanonical() ? Text(", ") : Sequence({Text(","), Space()});
}
Expression JsonText::Colon() const {
  return IsCanonical() ? Text(": ") : Sequence({Space(), Text(":"), Space()});
}

void JsonText::AddAnyValue() {
  const Expression blank = Class({{' ', ' '}, {'\t', '\t'}});
  if (options_.any_spelling) {
    (*rules_)["space"] = Repeat(Class({{' ', ' '}, {'\t', '\n'}, {'\r', '\r'}}), 0, kNoLimit);
  } else if (options_.free_white_space) {
    (*rules_)["space"] =
        Sequence({Repeat(Text("\n"), 0, kMostLineBreaks), Repeat(blank, 0, kMostBlanks)});
  }
  (*rules_)["number"] = options_.any_spelling ? AnyNumber(kManyDigits, kNoLimit)
                                              : AnyNumber(kFewDigits, kFewExponentDigits);
  const Expression character = Character({{0, kLastCodePoint}});
  (*rules_)["string"] = Sequence({Text("\""), Repeat(character, 0, kNoLimit), Text("\"")});
  const auto list = [&](const Expression& item, const char* open, const char* close) {
    const Expression more = Repeat(Sequence({Comma(), item, Space()}), 0, kNoLimit);
    return Sequence({Text(open), Space(), Optional(Sequence({item, Space(), more})), Text(close)});
  };
  (*rules_)["object"] = list(Sequence({Rule("string"), Colon(), Rule("value")}), "{", "}");
  (*rules_)["array"] = list(Rule("value"), "[", "]");
  (*rules_)["value"] = Choice({Rule("object"), Rule("array"), Rule("string"), Rule("number"),
                               Text("true"), Text("false"), Text("null")});
}

// One code point of `ranges` in a string.
Expression JsonText::Character(const std::vector<CodeRange>& ranges) {
  const bool single = ranges.size() == 1 && ranges[0].first == ranges[0].last;
  if (single && !options_.any_spelling && ranges[0].first < 0x80 &&
      Intersection(ranges, kMustEscape).empty())
    return Text(std::string(1, static_cast<char>(ranges[0].first)));
  std::vector<std::pair<uint32_t, uint32_t>> key;
  key.reserve(ranges.size());
  for (const CodeRange& range : ranges) key.emplace_back(range.first, range.last);
  const auto [found, is_new] =
      characters_.try_emplace(std::move(key), fmt::format("character {}", characters_.size()));
  if (is_new) (*rules_)[found->second] = Ways(ranges);
  return Rule(found->second);
}

Expression JsonText::Ways(const std::vector<CodeRange>& ranges) const {
  constexpr std::pair<char, const char*> kEscapes[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"},
                                                       {'\r', "\\r"}, {'\t', "\\t"},  {'\f', "\\f"},
                                                       {'\b', "\\b"}, {'/', "\\/"}};
  const auto holds = [&](char c) {
    const uint32_t code_point = static_cast<unsigned char>(c);
    return !Intersection(ranges, {{code_point, code_point}}).empty();
  };
  std::vector<Expression> ways = {Class(Intersection(ranges, Complement(kMustEscape)))};
  for (const auto& [c, text] : kEscapes) {
    if (holds(c) && (c != '/' || options_.any_spelling)) ways.push_back(Text(text));
  }
  if (!options_.any_spelling) {
    // Only those that have no escape of their own.
    const std::vector<CodeRange> rest = {{0, 7}, {0xB, 0xB}, {0xE, 0x1F}};
    for (const CodeRange& range : Intersection(ranges, rest)) {
      for (uint32_t c = range.first; c <= range.last; ++c)
        ways.push_back(Text(fmt::format("\\u{:04x}", c)));
    }
    return Choice(std::move(ways));
  }
  for (const CodeRange& range : Intersection(ranges, {{0, 0xD7FF}, {0xE000, 0xFFFF}}))
    ways.push_back(Sequence({Text("\\u"), HexRange(range.first, range.last, 4)}));
  for (const CodeRange& range : Intersection(ranges, {{0x10000, kLastCodePoint}}))
    ways.push_back(PairRange(range.first, range.last));
  return Choice(std::move(ways));
}

Expression JsonText::String(const DfaPointer& values) {
  if (values == AnyText()) return Rule("string");
  const auto [found, is_new] =
      strings_.try_emplace(values, fmt::format("string {}", strings_.size()));
  if (is_new) {
    Machine machine = SpelledOut(
        *values, [this](const std::vector<CodeRange>& ranges) { return Character(ranges); });
    (*rules_)[found->second] = Sequence({Text("\""), OfMachine(std::move(machine)), Text("\"")});
  }
  return Rule(found->second);
}

Expression JsonText::Name(const std::string& name) {
  return options_.any_spelling ? String(Words({name})) : Text(QuotedJson(name));
}

Result<Expression> JsonText::Number(const DfaPointer& numbers) {
  if (numbers == AllNumbers()) return Rule("number");
  const auto known = numbers_.find(numbers);
  if (known != numbers_.end()) return Rule(known->second);
  DfaPointer spelled = numbers;
  if (!options_.any_spelling) {
    HW_TRY(const DfaPointer broken, Combine(numbers, Integers(), kWithout));
    if (broken->IsEmpty()) {
      HW_TRY(spelled, Combine(numbers, WholeSpellings(), kAnd));
    }
  }
  // Where limits or a constant need more digits than usual, they get them.
  DfaPointer few = NoText();
  for (const int64_t digits : {kFewDigits, kManyDigits}) {
    if (!few->IsEmpty() || (options_.any_spelling && digits == kFewDigits)) continue;
    HW_TRY(few, Combine(spelled, NumberSpellings(digits, false), kAnd));
  }
  const std::string rule = fmt::format("number {}", numbers_.size());
  (*rules_)[rule] = OfMachine(
      SpelledOut(*few, [](const std::vector<CodeRange>& ranges) { return Class(ranges); }));
  numbers_.emplace(numbers, rule);
  return Rule(rule);
}

Result<Expression> JsonText::Scalar(const std::string& text) {
  if (!options_.any_spelling) return Text(text);
  HW_TRY(const JsonValue value, ParseJson(text));
  if (value.Is(JsonValue::Kind::kString)) return Name(value.text);
  if (!value.Is(JsonValue::Kind::kNumber)) return Text(text);
  HW_TRY(const Decimal number, ParseDecimal(text));
  return Number(TheNumber(number));
}

}  // namespace headway::grammar
