#include "tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "base/quoted.h"

namespace headway::tokenizer {
namespace {

// Real tokens stay below a few hundred bytes. The bound keeps the search for special tokens and the
// SentencePiece look-ups linear in the text even for a vocabulary made to be slow.
constexpr size_t kMaxTokenBytes = 4096;
constexpr size_t kMaxTokens = size_t{1} << 24;

// Names that steer a model, whatever type its file gives them: converters have written them as
// user-defined at times.
constexpr std::string_view kSpecialNames[] = {"<start_of_turn>", "<end_of_turn>", "<pad>",
                                              "<mask>",          "<2mass>",       "[@BOS@]"};

bool LooksSpecial(std::string_view text) {
  const auto is_between = [&](std::string_view begin, std::string_view end) {
    return text.size() > begin.size() + end.size() && text.substr(0, begin.size()) == begin &&
           text.substr(text.size() - end.size()) == end;
  };
  constexpr std::string_view kWideOpening = "<\xEF\xBD\x9C";  // "<" and U+FF5C: DeepSeek
  constexpr std::string_view kWideClosing = "\xEF\xBD\x9C>";
  return is_between("<|", "|>") || is_between(kWideOpening, kWideClosing) ||
         is_between("<unused", ">") ||
         std::find(std::begin(kSpecialNames), std::end(kSpecialNames), text) !=
             std::end(kSpecialNames);
}

Result<void> CheckId(const char* name, std::optional<int32_t> id, size_t num_tokens) {
  if (!id || (*id >= 0 && static_cast<size_t>(*id) < num_tokens)) return {};
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("tokenizer: {}: expected an id below {}, found {}", name, num_tokens, *id));
}

Result<void> CheckLength(const char* name, size_t found, size_t expected) {
  if (found == expected) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("tokenizer: {}: expected {} entries, one per token, found {}", name,
                          expected, found));
}

Result<void> CheckTokens(const Vocabulary& vocabulary) {
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const size_t length = vocabulary.tokens[i].size();
    if (length >= 1 && length <= kMaxTokenBytes) continue;
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: token {}: expected 1 to {} bytes of text, found {}", i,
                            kMaxTokenBytes, length));
  }
  for (size_t i = 0; i < vocabulary.types.size(); ++i) {
    const auto type = static_cast<int32_t>(vocabulary.types[i]);
    if (type >= 1 && type <= 6) continue;
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: token {}: expected a type from 1 to 6, found {}", i, type));
  }
  for (size_t i = 0; i < vocabulary.scores.size(); ++i) {
    if (std::isfinite(vocabulary.scores[i])) continue;
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: token {}: expected a finite score, found {}", i,
                            vocabulary.scores[i]));
  }
  return {};
}

}  // namespace

TokenType Vocabulary::Type(int32_t id) const {
  if (!types.empty()) return types[static_cast<size_t>(id)];
  if (id == unknown_id) return TokenType::kUnknown;
  return id == bos_id || id == eos_id ? TokenType::kControl : TokenType::kNormal;
}

bool Vocabulary::IsSpecial(int32_t id) const {
  const TokenType type = Type(id);
  if (type == TokenType::kControl || type == TokenType::kUnknown) return true;
  return type == TokenType::kUserDefined && LooksSpecial(tokens[static_cast<size_t>(id)]);
}

Result<void> CheckVocabulary(const Vocabulary& vocabulary) {
  const size_t num_tokens = vocabulary.tokens.size();
  if (vocabulary.model != "gpt2" && vocabulary.model != "llama") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tokenizer: model: expected 'gpt2' (byte-level BPE) or 'llama' "
                            "(SentencePiece), found {}",
                            Quoted(vocabulary.model)));
  }
  if (num_tokens == 0 || num_tokens > kMaxTokens) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: tokens: expected 1 to {} entries, found {}", kMaxTokens,
                            num_tokens));
  }
  if (!vocabulary.types.empty()) {
    HW_TRY_VOID(CheckLength("types", vocabulary.types.size(), num_tokens));
  }
  if (!vocabulary.scores.empty() || vocabulary.model == "llama") {
    HW_TRY_VOID(CheckLength("scores", vocabulary.scores.size(), num_tokens));
  }
  HW_TRY_VOID(CheckTokens(vocabulary));
  HW_TRY_VOID(CheckId("bos_id", vocabulary.bos_id, num_tokens));
  HW_TRY_VOID(CheckId("eos_id", vocabulary.eos_id, num_tokens));
  HW_TRY_VOID(CheckId("unknown_id", vocabulary.unknown_id, num_tokens));
  HW_TRY_VOID(CheckId("padding_id", vocabulary.padding_id, num_tokens));
  for (const int32_t id : vocabulary.extra_end_ids) {
    HW_TRY_VOID(CheckId("extra_end_ids", id, num_tokens));
  }
  if (vocabulary.add_bos && !vocabulary.bos_id) {
    return Fail(ErrorCode::kInvalidInput,
                "tokenizer: add_bos is set, expected a bos_id, found none");
  }
  if (vocabulary.add_eos && !vocabulary.eos_id) {
    return Fail(ErrorCode::kInvalidInput,
                "tokenizer: add_eos is set, expected an eos_id, found none");
  }
  return {};
}

}  // namespace headway::tokenizer
