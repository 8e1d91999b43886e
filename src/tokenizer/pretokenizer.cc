#include "tokenizer/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/quoted.h"
#include "base/utf8.h"
#include "tokenizer/pretokenizer_rules.h"

namespace headway::tokenizer {
namespace {

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

// One compiled expression.
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
  Result<void> Compile(const char* regex);
  // Appends the ends of the matches in `piece`, and of the stretches between them, plus `base`.
  Result<void> Split(std::string_view piece, size_t base, pcre2_match_data* match,
                     std::vector<uint32_t>* ends) const;
};

Result<void> Pretokenizer::Pattern::Compile(const char* regex) {
  int error = 0;
  size_t offset = 0;
  code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(regex), PCRE2_ZERO_TERMINATED,
                       PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (code == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tokenizer: pre-tokenizer: PCRE2: {} at {} of '{}'", MessageOf(error),
                            offset, regex));
  }
  // Without JIT (a PCRE2 built without it, or memory that may not be executable) the interpreter
  // runs. It counts a step per character it backs over, so its default limit of ten million is too
  // low for long texts.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  context = pcre2_match_context_create(nullptr);
  if (context == nullptr) {
    return Fail(ErrorCode::kUnsupported, "tokenizer: PCRE2: out of memory");
  }
  pcre2_set_match_limit(context, UINT32_MAX);
  pcre2_set_depth_limit(context, UINT32_MAX);
  return {};
}

Result<void> Pretokenizer::Pattern::Split(std::string_view piece, size_t base,
                                          pcre2_match_data* match,
                                          std::vector<uint32_t>* ends) const {
  size_t offset = 0;
  while (offset < piece.size()) {
    const int result = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(),
                                   offset, PCRE2_NO_UTF_CHECK, match, context);
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      return Fail(ErrorCode::kUnsupported, fmt::format("tokenizer: text at byte {}: PCRE2: {}",
                                                       base + offset, MessageOf(result)));
    }
    const size_t* bounds = pcre2_get_ovector_pointer(match);
    HW_CHECK(bounds[1] > bounds[0], "no expression matches the empty text");
    if (bounds[0] > offset) ends->push_back(static_cast<uint32_t>(base + bounds[0]));
    offset = bounds[1];
    ends->push_back(static_cast<uint32_t>(base + offset));
  }
  if (offset < piece.size()) ends->push_back(static_cast<uint32_t>(base + piece.size()));
  return {};
}

Result<Pretokenizer> Pretokenizer::Create(std::string_view name) {
  const PretokenizerRules* rules = FindPretokenizerRules(name);
  if (rules == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tokenizer: pre-tokenizer: expected one of {}; found {}",
                            PretokenizerNames(), Quoted(name)));
  }
  Pretokenizer pretokenizer(rules->whole_pieces_first);
  for (const char* regex : rules->stages) {
    pretokenizer.stages_.push_back(std::make_unique<Pattern>());
    HW_TRY_VOID(pretokenizer.stages_.back()->Compile(regex));
  }
  return pretokenizer;
}

Pretokenizer::Pretokenizer(bool whole_pieces_first) : whole_pieces_first_(whole_pieces_first) {}
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
  std::vector<uint32_t> pieces, cut;  // of a valid stretch, before and after a stage
  for (size_t begin = 0; begin < text.size();) {
    const std::string_view rest = text.substr(begin);
    const std::string_view valid = rest.substr(0, Utf8ValidPrefixBytes(rest));
    pieces.clear();
    if (!valid.empty()) pieces.push_back(static_cast<uint32_t>(valid.size()));
    for (const auto& stage : stages_) {
      cut.clear();
      size_t piece_begin = 0;
      for (const uint32_t piece_end : pieces) {
        HW_TRY_VOID(stage->Split(valid.substr(piece_begin, piece_end - piece_begin), piece_begin,
                                 match.get(), &cut));
        piece_begin = piece_end;
      }
      pieces.swap(cut);
    }
    for (const uint32_t end : pieces) ends->push_back(static_cast<uint32_t>(begin + end));
    begin += valid.size();
    if (begin < text.size()) ends->push_back(static_cast<uint32_t>(++begin));  // one invalid byte
  }
  return {};
}

}  // namespace headway::tokenizer
