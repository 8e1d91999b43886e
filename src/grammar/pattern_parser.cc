#include "grammar/pattern_parser.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/code_points.h"

namespace headway::grammar {
namespace {

constexpr int kDeepestGroup = 100;
constexpr int64_t kMostPatternRepetitions = 10000;

using Ranges = std::vector<CodeRange>;

// ECMA-262: WhiteSpace and LineTerminator.
const Ranges kSpaces = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                        {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                        {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const Ranges kWords = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges kDigits = {{'0', '9'}};
const Ranges kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

Ranges One(uint32_t code_point) { return {{code_point, code_point}}; }

class PatternParser {
 public:
  explicit PatternParser(std::string_view text) : text_(text) {}

  Result<Expression> Run() {
    HW_TRY(Expression body, ParseChoice(0));
    if (at_ < text_.size()) return Unsupported();
    return body;
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  tl::unexpected<Error> Unsupported() const {
    const std::string_view rest = at_ < text_.size() ? text_.substr(at_, 40) : "the end";
    return Fail(ErrorCode::kUnsupported,
                fmt::format("expected a pattern of literals, classes, groups, anchors, | and "
                            "repetitions, found '{}' in '{}'",
                            rest, text_.substr(0, 100)));
  }

  Result<Expression> ParseChoice(int depth) {
    std::vector<Expression> ways;
    do {
      std::vector<Expression> parts;
      while (at_ < text_.size() && Peek() != '|' && Peek() != ')') {
        HW_TRY(Expression part, ParseRepeated(depth));
        parts.push_back(std::move(part));
      }
      ways.push_back(Sequence(std::move(parts)));
    } while (Take("|"));
    if (ways.size() == 1) return std::move(ways.front());
    return Choice(std::move(ways));
  }

  Result<Expression> ParseRepeated(int depth) {
    HW_TRY(Expression part, ParsePart(depth));
    const bool is_anchor = part.kind == Expression::Kind::kText;
    int64_t least = 0;
    int64_t most = Expression::kNoLimit;
    if (Take("+")) {
      least = 1;
    } else if (Take("?")) {
      most = 1;
    } else if (Take("{")) {
      HW_TRY(least, ParseCount());
      most = least;
      if (Take(",")) {
        most = Expression::kNoLimit;
        if (Peek() != '}') {
          HW_TRY(most, ParseCount());
        }
      }
      if (!Take("}") || (most != Expression::kNoLimit && most < least)) return Unsupported();
    } else if (!Take("*")) {
      return part;
    }
    Take("?");  // lazy: other groups, the same texts
    if (is_anchor || Peek() == '?' || Peek() == '+' || Peek() == '*' || Peek() == '{')
      return Unsupported();
    return Repeat(std::move(part), least, most);
  }

  Result<int64_t> ParseCount() {
    int64_t value = 0;
    const size_t begin = at_;
    for (; Peek() >= '0' && Peek() <= '9'; ++at_) {
      value = value * 10 + (Peek() - '0');
      if (value > kMostPatternRepetitions) return Unsupported();
    }
    if (at_ == begin) return Unsupported();
    return value;
  }

  // (?:...), (?<name>...) and (...) match the same.
  Result<Expression> ParseGroup(int depth) {
    const bool named = text_.substr(at_, 2) == "?<" && text_.substr(at_ + 2, 1) != "=" &&
                       text_.substr(at_ + 2, 1) != "!";
    if (named) {
      const size_t end = text_.find('>', at_);
      if (end == std::string_view::npos) return Unsupported();
      at_ = end + 1;
    } else if (Peek() == '?' && !Take("?:")) {
      return Unsupported();
    }
    if (depth >= kDeepestGroup) return Unsupported();
    HW_TRY(Expression group, ParseChoice(depth + 1));
    if (!Take(")")) return Unsupported();
    // A group of one anchor is none that may be repeated; wrapped, it is told apart.
    return Sequence({std::move(group)});
  }

  Result<Expression> ParsePart(int depth) {
    if (Take("(")) return ParseGroup(depth);
    if (Take("^")) return Text("^");
    if (Take("$")) return Text("$");
    if (Take(".")) return Class(Complement(kLineEnds));
    if (Take("[")) {
      HW_TRY(Ranges ranges, ParseClass());
      return Class(std::move(ranges));
    }
    constexpr std::string_view kSpecial = "*+?{";
    if (kSpecial.find(Peek()) != std::string_view::npos) return Unsupported();
    HW_TRY(Ranges ranges, ParseCharacter(false));
    return Class(std::move(ranges));
  }

  Result<Ranges> ParseClass() {
    const bool negated = Take("^");
    Ranges all;
    while (!Take("]")) {
      if (at_ >= text_.size()) return Unsupported();
      HW_TRY(Ranges ranges, ParseCharacter(true));
      const bool is_one = ranges.size() == 1 && ranges[0].first == ranges[0].last;
      if (is_one && Peek() == '-' && text_.substr(at_ + 1, 1) != "]") {
        ++at_;
        HW_TRY(const Ranges last, ParseCharacter(true));
        if (last.size() != 1 || last[0].first != last[0].last || last[0].first < ranges[0].first)
          return Unsupported();
        ranges[0].last = last[0].last;
      }
      all.insert(all.end(), ranges.begin(), ranges.end());
    }
    return negated ? Complement(std::move(all)) : all;
  }

  // A character or an escape that stands for one or for a class.
  Result<Ranges> ParseCharacter(bool in_class) {
    if (at_ >= text_.size()) return Unsupported();
    if (Take("\\")) return ParseEscape(in_class);
    const std::string_view rest = text_.substr(at_);
    const size_t bytes = Utf8CharacterBytes(rest);
    if (bytes == 0) return Unsupported();
    at_ += bytes;
    return One(Utf8CodePoint(rest, bytes));
  }

  Result<Ranges> ParseEscape(bool in_class) {
    constexpr std::string_view kClasses = "dDwWsS";
    constexpr std::string_view kLetters = "tnrfv";
    constexpr std::string_view kMeanings = "\t\n\r\f\v";
    const char c = Peek();
    if (c != '\0' && kClasses.find(c) != std::string_view::npos) {
      ++at_;
      const Ranges& ranges = (c | 0x20) == 'd' ? kDigits : (c | 0x20) == 'w' ? kWords : kSpaces;
      return c >= 'a' ? ranges : Complement(ranges);
    }
    if (const size_t which = kLetters.find(c); c != '\0' && which != std::string_view::npos) {
      ++at_;
      return One(static_cast<unsigned char>(kMeanings[which]));
    }
    if (in_class && Take("b")) return One('\b');
    const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c == '0' && (after < '0' || after > '9')) {
      ++at_;
      return One(0);
    }
    if (c == 'c' && (after | 0x20) >= 'a' && (after | 0x20) <= 'z') {
      at_ += 2;
      return One(static_cast<uint32_t>(after) % 32);
    }
    if (c == 'x' || c == 'u') return ParseHexEscape();
    const bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    if (c > ' ' && c < 0x7F && !letter && !(c >= '0' && c <= '9')) {
      ++at_;
      return One(static_cast<uint32_t>(c));
    }
    --at_;
    return Unsupported();
  }

  // \xHH, \uHHHH, a pair of those for one code point, \u{H...}
  Result<Ranges> ParseHexEscape() {
    const char kind = Peek();
    ++at_;
    const bool braces = kind == 'u' && Take("{");
    HW_TRY(uint32_t value, ParseHex(kind == 'x' ? 2 : braces ? 0 : 4));
    if (braces && !Take("}")) return Unsupported();
    if (!braces && value >= 0xD800 && value < 0xDC00 && Take("\\u")) {
      HW_TRY(const uint32_t low, ParseHex(4));
      if (low < 0xDC00 || low > 0xDFFF) return Unsupported();
      value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
    }
    return One(value);
  }

  // `digits` of them, or with 0 as many as there are.
  Result<uint32_t> ParseHex(size_t digits) {
    constexpr std::string_view kHex = "0123456789abcdef";
    uint32_t value = 0;
    size_t count = 0;
    for (; digits == 0 || count < digits; ++count, ++at_) {
      const char c = Peek() >= 'A' && Peek() <= 'F' ? static_cast<char>(Peek() | 0x20) : Peek();
      const size_t digit = c == '\0' ? std::string_view::npos : kHex.find(c);
      if (digit == std::string_view::npos) break;
      value = value * 16 + static_cast<uint32_t>(digit);
      if (value > kLastCodePoint) return Unsupported();
    }
    if (count == 0 || (digits != 0 && count != digits)) return Unsupported();
    return value;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<Expression> ParsePattern(std::string_view pattern) { return PatternParser(pattern).Run(); }

}  // namespace headway::grammar
