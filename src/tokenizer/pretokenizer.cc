#include "tokenizer/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <string>
#include <utility>

#include "tokenizer/utf8.h"

namespace headway::tokenizer {
namespace {

// White space as the original engines (Rust's regex, Python's regex) define it: the Unicode
// property White_Space. PCRE2's own \s would add U+180E, which left the property with Unicode 6.3.
#define HW_SPACE \
  R"(\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
#define HW_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define HW_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define HW_CONTRACTION R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
// White space: up to the last line break; else all but the last character, which belongs to the
// next word.
#define HW_SPACE_RULES \
  "[" HW_SPACE R"(]*[\r\n]+|[)" HW_SPACE "]+(?![^" HW_SPACE "])|[" HW_SPACE "]+"

// Sources: openai/tiktoken, tiktoken_ext/openai_public.py (o200k_base, gpt2); meta-llama/llama3,
// tokenizer.py.
constexpr const char* kGpt4o =
    R"([^\r\n\p{L}\p{N}]?)" HW_UPPER "*" HW_LOWER "+" HW_CONTRACTION
    "?"
    R"(|[^\r\n\p{L}\p{N}]?)" HW_UPPER "+" HW_LOWER "*" HW_CONTRACTION
    "?"
    R"(|\p{N}{1,3}| ?[^)" HW_SPACE R"(\p{L}\p{N}]+[\r\n/]*|)" HW_SPACE_RULES;
constexpr const char* kLlama3 =
    HW_CONTRACTION R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^)" HW_SPACE
                   R"(\p{L}\p{N}]+[\r\n]*|)" HW_SPACE_RULES;
constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^)" HW_SPACE
                              R"(\p{L}\p{N}]+|[)" HW_SPACE "]+(?![^" HW_SPACE "])|[" HW_SPACE "]+";

struct Rule {
  std::string_view name;
  const char* regex;
  bool whole_pieces_first;
};

// Names and the whole-piece rule as llama.cpp reads them (src/llama-vocab.cpp, tokenizer_pre).
constexpr std::array kRules = {
    Rule{"gpt-4o", kGpt4o, false},    Rule{"llama4", kGpt4o, false},
    Rule{"gpt-2", kGpt2, false},      Rule{"phi-2", kGpt2, false},
    Rule{"llama-bpe", kLlama3, true}, Rule{"llama3", kLlama3, true},
    Rule{"llama-v3", kLlama3, true},
};

constexpr size_t kMaxTextBytes = size_t{1} << 30;

std::string MessageOf(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

}  // namespace

struct Pretokenizer::Pattern {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;

  Pattern() = default;
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

Result<Pretokenizer> Pretokenizer::Create(std::string_view name) {
  std::string known;
  for (const Rule& rule : kRules) {
    if (rule.name != name) {
      known += fmt::format("{}{}", known.empty() ? "" : " ", rule.name);
      continue;
    }
    auto pattern = std::make_unique<Pattern>();
    int error = 0;
    size_t offset = 0;
    pattern->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(rule.regex), PCRE2_ZERO_TERMINATED,
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr);
    if (pattern->code == nullptr) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("tokenizer: pre-tokenizer '{}': PCRE2: {} at {}", name,
                              MessageOf(error), offset));
    }
    // Without JIT (a PCRE2 built without it, or memory that may not be executable) the interpreter
    // runs. It counts a step per character it backs over, so its default limit of ten million is
    // too low for long texts.
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    pattern->context = pcre2_match_context_create(nullptr);
    if (pattern->context == nullptr) {
      return Fail(ErrorCode::kUnsupported, "tokenizer: PCRE2: out of memory");
    }
    pcre2_set_match_limit(pattern->context, UINT32_MAX);
    pcre2_set_depth_limit(pattern->context, UINT32_MAX);
    return Pretokenizer(std::move(pattern), rule.whole_pieces_first);
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("tokenizer: pre-tokenizer: expected one of {}; found '{}'", known, name));
}

Pretokenizer::Pretokenizer(std::unique_ptr<Pattern> pattern, bool whole_pieces_first)
    : pattern_(std::move(pattern)), whole_pieces_first_(whole_pieces_first) {}
Pretokenizer::Pretokenizer(Pretokenizer&&) noexcept = default;
Pretokenizer& Pretokenizer::operator=(Pretokenizer&&) noexcept = default;
Pretokenizer::~Pretokenizer() = default;

Result<void> Pretokenizer::Split(std::string_view text, std::vector<uint32_t>* ends) const {
  if (text.size() >= kMaxTextBytes) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: text: expected less than {} bytes, found {}", kMaxTextBytes,
                            text.size()));
  }
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
  if (match == nullptr) return Fail(ErrorCode::kUnsupported, "tokenizer: PCRE2: out of memory");
  size_t begin = 0;
  while (begin < text.size()) {
    const std::string_view rest = text.substr(begin);
    const std::string_view valid = rest.substr(0, Utf8ValidPrefixBytes(rest));
    size_t offset = 0;
    while (offset < valid.size()) {
      const int result =
          pcre2_match(pattern_->code, reinterpret_cast<PCRE2_SPTR>(valid.data()), valid.size(),
                      offset, PCRE2_NO_UTF_CHECK, match.get(), pattern_->context);
      // Every rule set matches every character somehow; should one not, the character stands alone.
      size_t end = offset + Utf8CharacterBytes(valid.substr(offset));
      if (result > 0) {
        end = pcre2_get_ovector_pointer(match.get())[1];
      } else if (result != PCRE2_ERROR_NOMATCH) {
        return Fail(ErrorCode::kUnsupported, fmt::format("tokenizer: text at byte {}: PCRE2: {}",
                                                         begin + offset, MessageOf(result)));
      }
      offset = end;
      ends->push_back(static_cast<uint32_t>(begin + end));
    }
    begin += valid.size();
    if (begin < text.size()) ends->push_back(static_cast<uint32_t>(++begin));  // one invalid byte
  }
  return {};
}

}  // namespace headway::tokenizer
