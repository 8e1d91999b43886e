#include "grammar/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "grammar/code_points.h"
#include "tokenizer/utf8.h"

namespace headway::grammar {
namespace {

constexpr int kDeepestGroup = 100;
constexpr int64_t kMostPatternRepetitions = 10000;

// One code point of `ranges` inside a JSON string. Control characters cannot be written but as
// \u00XX; of those the ones with an escape of their own are allowed.
Expression InsideString(const std::vector<CodeRange>& ranges) {
  const auto holds = [&](uint32_t code_point) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const CodeRange& range) {
      return range.first <= code_point && code_point <= range.last;
    });
  };
  std::vector<CodeRange> outside = Complement(ranges);
  outside.push_back({0, 0x1F});
  for (const uint32_t escaped : {uint32_t{'"'}, uint32_t{'\\'}, 0x7FU})
    outside.push_back({escaped, escaped});
  std::vector<Expression> ways = {Class(Complement(std::move(outside)))};
  constexpr std::pair<uint32_t, const char*> kEscapes[] = {
      {'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'\r', "\\r"},
      {'\t', "\\t"}, {'\f', "\\f"},  {'\b', "\\b"}};
  for (const auto& [code_point, text] : kEscapes) {
    if (holds(code_point)) ways.push_back(Text(text));
  }
  return Choice(std::move(ways));
}

class PatternParser {
 public:
  explicit PatternParser(std::string_view text) : text_(text) {}

  Result<Expression> Run() {
    const bool escaped_end = text_.size() >= 2 && text_[text_.size() - 2] == '\\';
    if (text_.size() < 2 || text_.front() != '^' || text_.back() != '$' || escaped_end)
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("expected a pattern of the form ^...$, found '{}'", text_));
    text_ = text_.substr(1, text_.size() - 2);
    HW_TRY(Expression body, ParseChoice(0));
    if (at_ < text_.size()) return Unsupported();
    return Sequence({Text("\""), std::move(body), Text("\"")});
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  tl::unexpected<Error> Unsupported() const {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("expected a pattern of literals, classes, groups, | and repetitions, "
                            "found '{}' in '{}'",
                            text_.substr(at_), text_));
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
    return Choice(std::move(ways));
  }

  Result<Expression> ParseRepeated(int depth) {
    HW_TRY(Expression part, ParsePart(depth));
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
    // A lazy or possessive mark, or a repetition of a repetition.
    if (Peek() == '?' || Peek() == '+' || Peek() == '*' || Peek() == '{') return Unsupported();
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

  Result<Expression> ParsePart(int depth) {
    if (Take("(")) {
      if (depth >= kDeepestGroup || (Peek() == '?' && !Take("?:"))) return Unsupported();
      HW_TRY(Expression group, ParseChoice(depth + 1));
      if (!Take(")")) return Unsupported();
      return group;
    }
    if (Take(".")) return InsideString(Complement({{'\n', '\n'}, {'\r', '\r'}}));
    if (Take("[")) {
      HW_TRY(const std::vector<CodeRange> ranges, ParseClass());
      return InsideString(ranges);
    }
    constexpr std::string_view kSpecial = "^$*+?{";
    if (kSpecial.find(Peek()) != std::string_view::npos) return Unsupported();
    HW_TRY(const std::vector<CodeRange> ranges, ParseCharacter());
    return InsideString(ranges);
  }

  Result<std::vector<CodeRange>> ParseClass() {
    const bool negated = Take("^");
    std::vector<CodeRange> all;
    while (!Take("]")) {
      if (at_ >= text_.size()) return Unsupported();
      HW_TRY(std::vector<CodeRange> ranges, ParseCharacter());
      const bool is_one = ranges.size() == 1 && ranges[0].first == ranges[0].last;
      if (is_one && Peek() == '-' && text_.substr(at_ + 1, 1) != "]") {
        ++at_;
        HW_TRY(const std::vector<CodeRange> last, ParseCharacter());
        if (last.size() != 1 || last[0].first != last[0].last || last[0].first < ranges[0].first)
          return Unsupported();
        ranges[0].last = last[0].last;
      }
      all.insert(all.end(), ranges.begin(), ranges.end());
    }
    return negated ? Complement(std::move(all)) : all;
  }

  // A character or an escape that stands for one or for a class.
  Result<std::vector<CodeRange>> ParseCharacter() {
    if (at_ >= text_.size()) return Unsupported();
    if (Take("\\")) return ParseEscape();
    const std::string_view rest = text_.substr(at_);
    const size_t bytes = tokenizer::Utf8CharacterBytes(rest);
    if (bytes == 0) return Unsupported();
    at_ += bytes;
    const uint32_t code_point = tokenizer::Utf8CodePoint(rest, bytes);
    return std::vector<CodeRange>{{code_point, code_point}};
  }

  Result<std::vector<CodeRange>> ParseEscape() {
    const char c = Peek();
    const std::vector<CodeRange> digits = {{'0', '9'}};
    const std::vector<CodeRange> words = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    const std::vector<CodeRange> spaces = {{'\t', '\r'}, {' ', ' '}};
    constexpr std::string_view kLetters = "tnrf";
    constexpr std::string_view kMeanings = "\t\n\r\f";
    std::vector<CodeRange> ranges;
    if (c == 'd' || c == 'D') {
      ranges = c == 'd' ? digits : Complement(digits);
    } else if (c == 'w' || c == 'W') {
      ranges = c == 'w' ? words : Complement(words);
    } else if (c == 's' || c == 'S') {
      ranges = c == 's' ? spaces : Complement(spaces);
    } else if (const size_t which = kLetters.find(c); which != std::string_view::npos) {
      const auto meaning = static_cast<uint32_t>(static_cast<unsigned char>(kMeanings[which]));
      ranges = {{meaning, meaning}};
    } else if (c > ' ' && c < 0x7F && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
               !(c >= '0' && c <= '9')) {
      ranges = {{static_cast<uint32_t>(c), static_cast<uint32_t>(c)}};
    } else {
      --at_;
      return Unsupported();
    }
    ++at_;
    return ranges;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<Expression> JsonStringMatching(std::string_view pattern) {
  return PatternParser(pattern).Run();
}

}  // namespace headway::grammar
