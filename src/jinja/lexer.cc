#include "jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/from_chars.h"
#include "base/quoted.h"
#include "base/utf8.h"
#include "jinja/text.h"

namespace headway::jinja {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

// One kind of line break, and none at the very end.
std::string Normalised(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)), text_(source_) {}

  Result<std::vector<Token>> Run() {
    while (at_ < text_.size()) HW_TRY_VOID(Data());
    Add(Token::Kind::kEnd, at_);
    return std::move(tokens_);
  }

 private:
  // Places are asked for in order, so that counting goes over the text once.
  Place PlaceOf(size_t byte) {
    for (; counted_ < byte; counted_ += CharacterBytes(text_.substr(counted_))) {
      const bool breaks = text_[counted_] == '\n';
      place_ = breaks ? Place{place_.line + 1, 1} : Place{place_.line, place_.column + 1};
    }
    return place_;
  }
  tl::unexpected<Error> Mistake(size_t byte, const std::string& message) {
    return Fail(ErrorCode::kInvalidInput, At(PlaceOf(byte)) + message);
  }
  Token& Add(Token::Kind kind, size_t begin, std::string text = {}) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.place = PlaceOf(begin);
    tokens_.push_back(std::move(token));
    return tokens_.back();
  }
  bool Has(std::string_view what, size_t at) const { return text_.substr(at, what.size()) == what; }
  size_t SkipSpaces(size_t at) const {
    while (at < text_.size() && IsSpace(CodePointOf(text_.substr(at))))
      at += CharacterBytes(text_.substr(at));
    return at;
  }

  // Behind "%}", "-%}" or "+%}" (or of a comment) at `at`; 0 when none stands there.
  size_t BehindEnd(std::string_view end, size_t at, bool trims) const {
    if (Has("-", at) && Has(end, at + 1)) return SkipSpaces(at + 1 + end.size());
    if (trims && Has("+", at) && Has(end, at + 1)) return at + 1 + end.size();
    if (!Has(end, at)) return 0;
    at += end.size();
    return trims && Has("\n", at) ? at + 1 : at;
  }

  // What of text_[begin, end) stays before a tag whose sign follows at `sign`.
  std::string_view Stripped(size_t begin, size_t end, size_t sign, bool is_output) const {
    std::string_view data = text_.substr(begin, end - begin);
    if (Has("-", sign)) {
      size_t kept = 0;
      for (size_t i = 0; i < data.size();) {
        const size_t next = i + CharacterBytes(data.substr(i));
        if (!IsSpace(CodePointOf(data.substr(i)))) kept = next;
        i = next;
      }
      return data.substr(0, kept);
    }
    if (Has("+", sign) || is_output) return data;
    const size_t line_break = data.rfind('\n');
    const size_t line = line_break == std::string_view::npos ? 0 : line_break + 1;
    const bool starts_line = line > 0 || at_line_start_;
    return starts_line && SkipSpaces(begin + line) >= end ? data.substr(0, line) : data;
  }

  void MoveTo(size_t at) {
    at_ = at;
    at_line_start_ = at_ > 0 && text_[at_ - 1] == '\n';
  }

  Result<void> Data() {
    size_t tag = at_;
    while (true) {
      tag = text_.find('{', tag);
      if (tag == std::string_view::npos) break;
      if (Has("{%", tag) || Has("{{", tag) || Has("{#", tag)) break;
      ++tag;
    }
    if (tag == std::string_view::npos) {
      Add(Token::Kind::kData, at_, std::string(text_.substr(at_)));
      at_ = text_.size();
      return {};
    }
    const char kind = text_[tag + 1];
    const size_t sign = tag + 2;
    const std::string_view data = Stripped(at_, tag, sign, kind == '{');
    if (!data.empty()) Add(Token::Kind::kData, at_, std::string(data));
    const size_t inside = Has("-", sign) || Has("+", sign) ? sign + 1 : sign;
    if (kind == '#') return Comment(tag, inside);
    if (kind == '{') return Tag(tag, inside, "}}");
    if (const size_t raw = BehindRawTag("raw", inside, false)) return Raw(tag, raw);
    return Tag(tag, inside, "%}");
  }

  Result<void> Comment(size_t tag, size_t inside) {
    for (size_t end = inside; end < text_.size(); ++end) {
      if (const size_t behind = BehindEnd("#}", end, true)) {
        MoveTo(behind);
        return {};
      }
    }
    return Mistake(tag, "expected '#}' at the end of this comment, found none");
  }

  // Behind `raw %}` or `endraw %}`, whose blanks and name begin at `at`; 0 when it is another tag.
  size_t BehindRawTag(std::string_view name, size_t at, bool trims) const {
    at = SkipSpaces(at);
    if (!Has(name, at)) return 0;
    at = SkipSpaces(at + name.size());
    return BehindEnd("%}", at, trims);
  }

  Result<void> Raw(size_t tag, size_t inside) {
    MoveTo(inside);
    for (size_t end = text_.find("{%", inside); end != std::string_view::npos;
         end = text_.find("{%", end + 1)) {
      const size_t sign = end + 2;
      const size_t name = Has("-", sign) || Has("+", sign) ? sign + 1 : sign;
      const size_t behind = BehindRawTag("endraw", name, true);
      if (behind == 0) continue;
      const std::string_view data = Stripped(inside, end, sign, false);
      if (!data.empty()) Add(Token::Kind::kData, inside, std::string(data));
      MoveTo(behind);
      return {};
    }
    return Mistake(tag, "expected '{% endraw %}' somewhere behind this, found none");
  }

  // From "{{" or "{%" at `tag` to `end`, which counts outside of brackets only.
  Result<void> Tag(size_t tag, size_t inside, std::string_view end) {
    const bool is_output = end == "}}";
    const Place place =
        Add(is_output ? Token::Kind::kOutputBegin : Token::Kind::kBlockBegin, tag).place;
    std::string open;
    at_ = inside;
    while (at_ < text_.size()) {
      const size_t behind = open.empty() ? BehindEnd(end, at_, !is_output) : 0;
      if (behind != 0) {
        Add(is_output ? Token::Kind::kOutputEnd : Token::Kind::kBlockEnd, at_);
        MoveTo(behind);
        return {};
      }
      const size_t word = SkipSpaces(at_);
      if (word == at_) {
        HW_TRY_VOID(Word(&open));
      } else {
        at_ = word;
      }
    }
    return Fail(ErrorCode::kInvalidInput,
                At(place) + fmt::format("expected '{}' at the end of this tag, found none", end));
  }

  Result<void> Word(std::string* open) {
    const char c = text_[at_];
    if (IsDigit(c)) return Number();
    if (IsNameStart(c)) {
      size_t end = at_;
      while (end < text_.size() && IsNamePart(text_[end])) ++end;
      Add(Token::Kind::kName, at_, std::string(text_.substr(at_, end - at_)));
      at_ = end;
      return {};
    }
    if (c == '\'' || c == '"') return String();
    return Operator(open);
  }

  Result<void> Operator(std::string* open) {
    constexpr std::array<std::string_view, 26> kOperators = {
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
        "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
    const auto* found = std::find_if(kOperators.begin(), kOperators.end(),
                                     [&](std::string_view op) { return Has(op, at_); });
    if (found == kOperators.end()) {
      const std::string_view rest = text_.substr(at_);
      return Mistake(at_, fmt::format("expected an expression, found '{}'",
                                      PrintableWords(rest.substr(0, CharacterBytes(rest)))));
    }
    constexpr std::string_view kOpening = "([{";
    constexpr std::string_view kClosing = ")]}";
    if (kOpening.find(found->front()) != std::string_view::npos) {
      open->push_back(kClosing[kOpening.find(found->front())]);
    } else if (kClosing.find(found->front()) != std::string_view::npos) {
      if (open->empty() || open->back() != found->front()) {
        const std::string expected =
            open->empty() ? "no closing bracket" : fmt::format("'{}'", open->back());
        return Mistake(at_, fmt::format("expected {}, found '{}'", expected, *found));
      }
      open->pop_back();
    }
    Add(Token::Kind::kOperator, at_, std::string(*found));
    at_ += found->size();
    return {};
  }

  // Digits with single underscores between them, which go.
  std::string Digits(size_t* at, int base) const {
    std::string digits;
    const auto is_digit = [&](size_t i) {
      if (i >= text_.size()) return false;
      const char c =
          text_[i] >= 'A' && text_[i] <= 'F' ? static_cast<char>(text_[i] + 32) : text_[i];
      const int digit = IsDigit(c) ? c - '0' : (c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99);
      return digit < base;
    };
    while (is_digit(*at) || (!digits.empty() && Has("_", *at) && is_digit(*at + 1))) {
      if (text_[*at] != '_') digits += text_[*at];
      ++*at;
    }
    return digits;
  }

  Result<void> Number() {
    const size_t begin = at_;
    size_t at = at_;
    int base = 10;
    if (text_[at] == '0' && at + 1 < text_.size()) {
      const char letter = static_cast<char>(text_[at + 1] | 0x20);
      base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
      if (base != 10) at += 2;
    }
    std::string digits = Digits(&at, base);
    if (digits.empty()) return Mistake(begin, "expected digits, found none");
    const bool behind_point = begin > 0 && text_[begin - 1] == '.';
    bool is_real = false;
    if (base == 10 && !behind_point) {
      if (Has(".", at) && at + 1 < text_.size() && IsDigit(text_[at + 1])) {
        is_real = true;
        ++at;
        digits += '.' + Digits(&at, 10);
      }
      if (Has("e", at) || Has("E", at)) {
        size_t behind = at + 1;
        std::string sign;
        if (Has("+", behind) || Has("-", behind)) sign = text_[behind++];
        const std::string exponent = Digits(&behind, 10);
        if (!exponent.empty()) {
          is_real = true;
          digits += "e" + sign + exponent;
          at = behind;
        }
      }
    }
    Token& token = Add(is_real ? Token::Kind::kFloat : Token::Kind::kInteger, begin);
    const char* first = digits.data();
    const char* last = first + digits.size();
    const auto outcome = is_real ? FromChars(first, last, token.real)
                                 : std::from_chars(first, last, token.integer, base);
    if (outcome.ec != std::errc() || outcome.ptr != last)
      return Mistake(begin, "expected a number of 64 bits, found " + PrintableWords(digits));
    if (!is_real && base == 10 && digits.size() > 1 && digits.front() == '0' && token.integer != 0)
      return Mistake(begin,
                     "expected a number without leading zeros, found " + PrintableWords(digits));
    at_ = at;
    return {};
  }

  Result<void> String() {
    const size_t begin = at_;
    const char quote = text_[at_++];
    std::string value;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] != '\\') {
        value += text_[at_++];
        continue;
      }
      HW_TRY_VOID(Escape(&value));
    }
    if (at_ >= text_.size())
      return Mistake(begin,
                     fmt::format("expected {} at the end of this string, found none", quote));
    ++at_;
    Add(Token::Kind::kString, begin, std::move(value));
    return {};
  }

  // A backslash and what follows, as in Python's strings.
  Result<void> Escape(std::string* value) {
    const size_t begin = at_++;
    if (at_ >= text_.size()) return Mistake(begin, "expected an escape, found the end");
    const char c = text_[at_++];
    constexpr std::string_view kLetters = "\\'\"abfnrtv";
    constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
    const size_t which = kLetters.find(c);
    if (which != std::string_view::npos) {
      *value += kMeanings[which];
      return {};
    }
    if (c == '\n') return {};
    const bool octal = c >= '0' && c <= '7';
    const size_t most = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : octal ? 3 : 0;
    if (most == 0) {
      if (c == 'N') return Mistake(begin, "expected an escape, found \\N, which is not understood");
      *value += '\\';
      *value += c;
      return {};
    }
    if (octal) --at_;
    uint32_t code_point = 0;
    const std::string_view digits = text_.substr(at_, most);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code_point, octal ? 8 : 16);
    const auto count = static_cast<size_t>(end - digits.data());
    if (error != std::errc() || (!octal && count != most))
      return Mistake(begin, fmt::format("expected {} hexadecimal digits behind \\{}", most, c));
    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
      return Mistake(begin, "expected the number of a character, found another one");
    at_ += count;
    AppendCharacter(code_point, value);
    return {};
  }

  const std::string source_;
  const std::string_view text_;
  size_t at_ = 0;
  bool at_line_start_ = true;
  size_t counted_ = 0;
  Place place_;
  std::vector<Token> tokens_;
};

}  // namespace

std::string At(Place place) {
  return fmt::format("line {}, column {}: ", place.line, place.column);
}

std::string Described(const Token& token) {
  switch (token.kind) {
    case Token::Kind::kData:
      return "text";
    case Token::Kind::kOutputBegin:
      return "'{{'";
    case Token::Kind::kOutputEnd:
      return "'}}'";
    case Token::Kind::kBlockBegin:
      return "'{%'";
    case Token::Kind::kBlockEnd:
      return "'%}'";
    case Token::Kind::kName:
    case Token::Kind::kOperator:
      return fmt::format("'{}'", PrintableWords(token.text));
    case Token::Kind::kString:
      return fmt::format("the string '{}'", PrintableWords(token.text));
    case Token::Kind::kInteger:
      return std::to_string(token.integer);
    case Token::Kind::kFloat:
      return fmt::format("{}", token.real);
    case Token::Kind::kEnd:
      return "the end of the template";
  }
  return "";
}

Result<std::vector<Token>> Tokenize(std::string_view source) {
  if (source.size() > kMostTemplateBytes) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected a template of at most {} bytes, found {}", kMostTemplateBytes,
                            source.size()));
  }
  const size_t valid = Utf8ValidPrefixBytes(source);
  if (valid < source.size()) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("expected a template in UTF-8, found the byte {:#04x} at byte {}",
                    static_cast<unsigned>(static_cast<unsigned char>(source[valid])), valid));
  }
  return Lexer(Normalised(source)).Run();
}

}  // namespace headway::jinja
