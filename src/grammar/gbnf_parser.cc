#include "grammar/gbnf_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/utf8.h"
#include "grammar/code_points.h"

namespace headway::grammar {
namespace {

// Nested groups; deeper ones would cost the parser its stack.
constexpr int kDeepestRule = 200;
constexpr int kMostStacked = 10;
constexpr int64_t kMostRepetitions = 100000;

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexValue(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Rules> Run() {
    Rules rules;
    SkipSpace(true);
    while (!AtEnd()) HW_TRY_VOID(ParseRule(&rules));
    return rules;
  }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  char Peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool Take(char c) {
    if (AtEnd() || Peek() != c) return false;
    ++at_;
    return true;
  }

  tl::unexpected<Error> Wrong(const std::string& expected,
                              ErrorCode code = ErrorCode::kInvalidInput) const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t line_start =
        before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    std::string found = "the end";
    if (!AtEnd()) {
      const std::string_view rest = text_.substr(at_);
      found = fmt::format("'{}'", rest.substr(0, std::min<size_t>(rest.find('\n'), 20)));
      if (rest.front() == '\n') found = "a new line";
    }
    return Fail(code, fmt::format("line {}, column {}: expected {}, found {}", line,
                                  at_ - line_start + 1, expected, found));
  }

  // Blanks and comments, and ends of lines where a rule cannot end.
  void SkipSpace(bool lines_too) {
    while (!AtEnd()) {
      const char c = Peek();
      if (c == '#') {
        while (!AtEnd() && Peek() != '\n' && Peek() != '\r') ++at_;
        continue;
      }
      const bool is_line_end = c == '\n' || c == '\r';
      if (c != ' ' && c != '\t' && !(is_line_end && lines_too)) return;
      ++at_;
    }
  }

  Result<std::string> ParseName() {
    const size_t begin = at_;
    while (!AtEnd() && IsWordCharacter(Peek())) ++at_;
    if (at_ == begin) return Wrong("a rule's name (letters, digits, -)");
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<void> ParseRule(Rules* rules) {
    const size_t begin = at_;
    HW_TRY(const std::string name, ParseName());
    SkipSpace(false);
    if (text_.substr(at_, 3) != "::=") return Wrong("::=");
    at_ += 3;
    SkipSpace(true);
    HW_TRY(Expression body, ParseChoice(0));
    if (!AtEnd() && Peek() != '\n' && Peek() != '\r')
      return Wrong("the end of the rule's line, or a literal, class, group or name");
    if (!rules->emplace(name, std::move(body)).second) {
      at_ = begin;
      return Wrong(fmt::format("one definition of the rule '{}' (this is the second)", name));
    }
    SkipSpace(true);
    return {};
  }

  Result<Expression> ParseChoice(int depth) {
    std::vector<Expression> alternatives;
    do {
      if (!alternatives.empty()) SkipSpace(true);
      HW_TRY(Expression sequence, ParseSequence(depth));
      alternatives.push_back(std::move(sequence));
    } while (Take('|'));
    if (alternatives.size() == 1) return std::move(alternatives.front());
    return Choice(std::move(alternatives));
  }

  Result<Expression> ParseSequence(int depth) {
    std::vector<Expression> parts;
    while (!AtEnd()) {
      const char c = Peek();
      if (c == '*' || c == '+' || c == '?' || c == '{') {
        if (parts.empty()) return Wrong("something to repeat before it");
        HW_TRY_VOID(ParseRepetition(depth, &parts.back()));
      } else {
        HW_TRY(std::optional<Expression> part, ParsePart(depth));
        if (!part) break;
        parts.push_back(*std::move(part));
        stacked_ = 0;
      }
      SkipSpace(depth > 0);
    }
    if (parts.size() == 1) return std::move(parts.front());
    return Sequence(std::move(parts));
  }

  // One literal, class, group, name or dot; nothing when something else follows.
  Result<std::optional<Expression>> ParsePart(int depth) {
    const auto some = [](Result<Expression> part) -> Result<std::optional<Expression>> {
      if (!part) return tl::unexpected<Error>(part.error());
      return std::optional<Expression>(*std::move(part));
    };
    if (Take('"')) return some(ParseLiteral());
    if (Take('[')) return some(ParseClass());
    if (Take('.')) return std::optional<Expression>(Class({{0, kLastCodePoint}}));
    if (Peek() == '<' || Peek() == '!') {
      return Wrong("text (references to tokens are not supported)", ErrorCode::kUnsupported);
    }
    if (IsWordCharacter(Peek())) {
      HW_TRY(std::string name, ParseName());
      return std::optional<Expression>(Rule(std::move(name)));
    }
    if (!Take('(')) return std::optional<Expression>();
    if (depth >= kDeepestRule) return Wrong(fmt::format("at most {} nested groups", kDeepestRule));
    SkipSpace(true);
    HW_TRY(Expression group, ParseChoice(depth + 1));
    if (!Take(')')) return Wrong("')'");
    return std::optional<Expression>(std::move(group));
  }

  Result<Expression> ParseLiteral() {
    std::string bytes;
    while (!Take('"')) {
      if (AtEnd() || Peek() == '\n') return Wrong("'\"' at the literal's end");
      HW_TRY(const uint32_t code_point, ParseCharacter());
      if (!IsScalarValue(code_point)) return Wrong("a character that is no surrogate before this");
      AppendUtf8(code_point, &bytes);
    }
    return Text(std::move(bytes));
  }

  Result<Expression> ParseClass() {
    const bool negated = Take('^');
    std::vector<CodeRange> ranges;
    while (!Take(']')) {
      if (AtEnd()) return Wrong("']' at the class's end");
      CodeRange range;
      HW_TRY(range.first, ParseCharacter());
      range.last = range.first;
      if (Peek() == '-' && Peek(1) != ']') {
        ++at_;
        HW_TRY(range.last, ParseCharacter());
        if (range.last < range.first)
          return Wrong("a range that does not run backwards before this");
      }
      ranges.push_back(range);
    }
    if (ranges.empty() && !negated) return Wrong("a character in the class before this");
    return Class(negated ? Complement(std::move(ranges)) : std::move(ranges));
  }

  // One character of a literal or class, escapes resolved.
  Result<uint32_t> ParseCharacter() {
    if (AtEnd()) return Wrong("a character");
    if (!Take('\\')) {
      const std::string_view rest = text_.substr(at_);
      const size_t bytes = Utf8CharacterBytes(rest);
      if (bytes == 0) return Wrong("UTF-8");
      at_ += bytes;
      return Utf8CodePoint(rest, bytes);
    }
    const char c = Peek();
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
      ++at_;
      uint64_t value = 0;
      for (size_t i = 0; i < digits; ++i) {
        const int digit = HexValue(Peek());
        if (digit < 0) return Wrong(fmt::format("{} hexadecimal digits", digits));
        value = value * 16 + static_cast<uint64_t>(digit);
        ++at_;
      }
      if (value > kLastCodePoint) return Wrong("a code point up to 10FFFF before this");
      return static_cast<uint32_t>(value);
    }
    constexpr std::string_view kEscapes = "tnr\\\"[]";
    constexpr std::string_view kMeanings = "\t\n\r\\\"[]";
    const size_t which = AtEnd() ? std::string_view::npos : kEscapes.find(c);
    if (which == std::string_view::npos)
      return Wrong("one of the escapes \\t \\n \\r \\\\ \\\" \\[ \\] \\x \\u \\U");
    ++at_;
    return static_cast<uint32_t>(kMeanings[which]);
  }

  Result<int64_t> ParseCount() {
    if (!IsDigit(Peek())) return Wrong("a number");
    int64_t value = 0;
    const size_t begin = at_;
    for (; IsDigit(Peek()); ++at_) {
      value = value * 10 + (Peek() - '0');
      if (value <= kMostRepetitions) continue;
      at_ = begin;  // where all of it stands
      return Wrong(fmt::format("at most {} repetitions", kMostRepetitions));
    }
    return value;
  }

  Result<void> ParseRepetition(int depth, Expression* part) {
    int64_t least = 0;
    int64_t most = Expression::kNoLimit;
    if (Take('+')) {
      least = 1;
    } else if (Take('?')) {
      most = 1;
    } else if (!Take('*')) {
      ++at_;  // {
      SkipSpace(depth > 0);
      HW_TRY(least, ParseCount());
      SkipSpace(depth > 0);
      most = least;
      if (Take(',')) {
        SkipSpace(depth > 0);
        most = Expression::kNoLimit;
        if (IsDigit(Peek())) {
          HW_TRY(most, ParseCount());
          if (most < least) return Wrong(fmt::format("a number from {} before this", least));
        }
        SkipSpace(depth > 0);
      }
      if (!Take('}')) return Wrong("'}'");
    }
    *part = Repeat(std::move(*part), least, most);
    // x***...: every one of them nests the tree by one.
    if (++stacked_ > kMostStacked) return Wrong("fewer repetitions of repetitions");
    return {};
  }

  const std::string_view text_;
  size_t at_ = 0;
  int stacked_ = 0;  // repetitions of the part last read
};

}  // namespace

Result<Rules> ParseGbnf(std::string_view text) { return Parser(text).Run(); }

}  // namespace headway::grammar
