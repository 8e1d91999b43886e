#include "grammar/json_text.h"

#include <algorithm>
#include <map>
#include <utility>

#include "grammar/code_points.h"
#include "tokenizer/utf8.h"

namespace headway::grammar {
namespace {

Expression Digits(int64_t least, int64_t most) { return Repeat(Class({{'0', '9'}}), least, most); }
Expression Optional(Expression part) { return Repeat(std::move(part), 0, 1); }

// 0 or up to 16 digits without a leading zero.
Expression Integral() {
  return Choice({Text("0"), Sequence({Class({{'1', '9'}}), Digits(0, 15)})});
}

// Code points that may stand in a string as they are.
std::vector<CodeRange> PlainRanges() {
  return Complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}});
}

// Names, letter by letter.
struct NameTree {
  bool is_name = false;
  std::map<uint32_t, NameTree> next;
};

// What may follow a common beginning so that the whole is no name.
Expression Otherwise(const NameTree& tree) {
  std::vector<Expression> ways;
  if (!tree.is_name) ways.push_back(Sequence({}));
  std::vector<CodeRange> taken = {{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}};
  for (const auto& [code_point, rest] : tree.next) {
    taken.push_back({code_point, code_point});
    ways.push_back(Sequence({Class({{code_point, code_point}}), Otherwise(rest)}));
  }
  ways.push_back(Sequence({Class(Complement(std::move(taken))),
                           Repeat(Class(PlainRanges()), 0, Expression::kNoLimit)}));
  return Choice(std::move(ways));
}

// Numbers of exactly the digits of `low` and `high`, as many in both, low <= high.
Expression SameLengthRange(const std::string& low, const std::string& high) {
  if (low.empty()) return Sequence({});
  const auto rest = static_cast<int64_t>(low.size()) - 1;
  const bool all = low.find_first_not_of('0') == std::string::npos &&
                   high.find_first_not_of('9') == std::string::npos;
  if (all) return Digits(rest + 1, rest + 1);
  const auto digit = [](char first, char last) {
    return Class({{static_cast<uint32_t>(first), static_cast<uint32_t>(last)}});
  };
  if (low.front() == high.front()) {
    return Sequence(
        {digit(low.front(), low.front()), SameLengthRange(low.substr(1), high.substr(1))});
  }
  const std::string zeros(low.size() - 1, '0');
  const std::string nines(low.size() - 1, '9');
  std::vector<Expression> ways;
  ways.push_back(
      Sequence({digit(low.front(), low.front()), SameLengthRange(low.substr(1), nines)}));
  if (high.front() - low.front() > 1) {
    ways.push_back(
        Sequence({digit(static_cast<char>(low.front() + 1), static_cast<char>(high.front() - 1)),
                  Digits(rest, rest)}));
  }
  ways.push_back(
      Sequence({digit(high.front(), high.front()), SameLengthRange(zeros, high.substr(1))}));
  return Choice(std::move(ways));
}

// The numbers from `low` up, both without sign; `high` null: up to 16 digits and never less than
// low's.
Expression NaturalRange(uint64_t low, const uint64_t* high) {
  const std::string low_text = std::to_string(low);
  const std::string high_text = high != nullptr ? std::to_string(*high) : "";
  const size_t longest = high != nullptr ? high_text.size() : std::max<size_t>(low_text.size(), 16);
  std::vector<Expression> ways;
  for (size_t length = low_text.size(); length <= longest; ++length) {
    const bool first = length == low_text.size();
    const bool last = high != nullptr && length == longest;
    std::string smallest(length, '0');
    smallest.front() = '1';
    ways.push_back(
        SameLengthRange(first ? low_text : smallest, last ? high_text : std::string(length, '9')));
  }
  return Choice(std::move(ways));
}

uint64_t Magnitude(int64_t value) {
  return value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
}

}  // namespace

int JsonNesting(std::string_view json) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string && c == '\\') ++i;
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if (c == '{' || c == '[') deepest = std::max(deepest, ++depth);
    if (c == '}' || c == ']') --depth;
  }
  return deepest;
}

Expression JsonSpace() {
  return Choice({Sequence({}), Text(" "),
                 Sequence({Text("\n"), Repeat(Class({{' ', ' '}, {'\t', '\t'}}), 0, 20)})});
}

Expression JsonCharacter() {
  const Expression hex = Class({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
  return Choice({Class(PlainRanges()),
                 Sequence({Text("\\"), Choice({Class({{'"', '"'},
                                                      {'\\', '\\'},
                                                      {'b', 'b'},
                                                      {'f', 'f'},
                                                      {'n', 'n'},
                                                      {'r', 'r'},
                                                      {'t', 't'},
                                                      {'/', '/'}}),
                                               Sequence({Text("u"), Repeat(hex, 4, 4)})})})});
}

Expression JsonString(int64_t least, int64_t most) {
  return Sequence({Text("\""), Repeat(JsonCharacter(), least, most), Text("\"")});
}

Expression JsonInteger() { return Sequence({Optional(Text("-")), Integral()}); }

Expression JsonNumber() {
  return Sequence({JsonInteger(), Optional(Sequence({Text("."), Digits(1, 16)})),
                   Optional(Sequence({Class({{'e', 'e'}, {'E', 'E'}}),
                                      Optional(Class({{'-', '-'}, {'+', '+'}})), Digits(1, 3)}))});
}

Expression JsonValue() { return Rule("value"); }

void AddJsonValueRules(Rules* rules) {
  const auto list = [](const Expression& item, const char* open, const char* close) {
    const Expression more =
        Repeat(Sequence({Text(","), JsonSpace(), item}), 0, Expression::kNoLimit);
    return Sequence(
        {Text(open), JsonSpace(), Optional(Sequence({item, more})), JsonSpace(), Text(close)});
  };
  rules->emplace("string", JsonString(0, Expression::kNoLimit));
  rules->emplace("number", JsonNumber());
  const Expression pair =
      Sequence({Rule("string"), JsonSpace(), Text(":"), JsonSpace(), Rule("value")});
  rules->emplace("object", list(pair, "{", "}"));
  rules->emplace("array", list(Rule("value"), "[", "]"));
  rules->emplace("value", Choice({Rule("object"), Rule("array"), Rule("string"), Rule("number"),
                                  Text("true"), Text("false"), Text("null")}));
}

Expression JsonStringExcept(const std::vector<std::string>& names) {
  NameTree root;
  for (const std::string& name : names) {
    NameTree* at = &root;
    bool plain = true;
    for (std::string_view rest = name; !rest.empty();) {
      const size_t bytes = std::max<size_t>(1, tokenizer::Utf8CharacterBytes(rest));
      const uint32_t code_point = tokenizer::Utf8CodePoint(rest, bytes);
      plain = plain && code_point > 0x1F && code_point != '"' && code_point != '\\' &&
              code_point != 0x7F;
      if (!plain) break;  // needs an escape: no plain string is equal to it
      at = &at->next[code_point];
      rest.remove_prefix(bytes);
    }
    if (plain) at->is_name = true;
  }
  return Sequence({Text("\""), Otherwise(root), Text("\"")});
}

bool JsonStringFormat(const std::string& format, Expression* string) {
  const auto digit = [](char first, char last) {
    return Class({{static_cast<uint32_t>(first), static_cast<uint32_t>(last)}});
  };
  const Expression month =
      Choice({Sequence({Text("0"), digit('1', '9')}), Sequence({Text("1"), digit('0', '2')})});
  const Expression day =
      Choice({Sequence({Text("0"), digit('1', '9')}), Sequence({digit('1', '2'), digit('0', '9')}),
              Sequence({Text("3"), digit('0', '1')})});
  const Expression date = Sequence({Digits(4, 4), Text("-"), month, Text("-"), day});
  const Expression hour = Choice(
      {Sequence({digit('0', '1'), digit('0', '9')}), Sequence({Text("2"), digit('0', '3')})});
  const Expression sixty = Sequence({digit('0', '5'), digit('0', '9')});
  const Expression zone =
      Choice({Text("Z"), Sequence({Class({{'+', '+'}, {'-', '-'}}), hour, Text(":"), sixty})});
  const Expression time = Sequence({hour, Text(":"), sixty, Text(":"), sixty,
                                    Optional(Sequence({Text("."), Digits(3, 3)})), zone});
  const Expression hex = Class({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
  Expression body;
  if (format == "date") {
    body = date;
  } else if (format == "time") {
    body = time;
  } else if (format == "date-time") {
    body = Sequence({date, Text("T"), time});
  } else if (format == "uuid") {
    body = Sequence({Repeat(hex, 8, 8), Text("-"), Repeat(hex, 4, 4), Text("-"), Repeat(hex, 4, 4),
                     Text("-"), Repeat(hex, 4, 4), Text("-"), Repeat(hex, 12, 12)});
  } else {
    return false;
  }
  *string = Sequence({Text("\""), std::move(body), Text("\"")});
  return true;
}

Expression JsonIntegerRange(const int64_t* least, const int64_t* most) {
  std::vector<Expression> ways;
  if (least == nullptr || *least < 0) {  // -high .. -low
    const uint64_t low = most != nullptr && *most < 0 ? Magnitude(*most) : 1;
    const uint64_t high = least != nullptr ? Magnitude(*least) : 0;
    ways.push_back(Sequence({Text("-"), NaturalRange(low, least != nullptr ? &high : nullptr)}));
  }
  if (most == nullptr || *most >= 0) {
    const uint64_t low = least != nullptr && *least > 0 ? Magnitude(*least) : 0;
    const uint64_t high = most != nullptr ? Magnitude(*most) : 0;
    ways.push_back(NaturalRange(low, most != nullptr ? &high : nullptr));
  }
  return Choice(std::move(ways));
}

}  // namespace headway::grammar
