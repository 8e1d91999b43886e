#include "tokenizer/sentence_piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "tokenizer/merge.h"
#include "tokenizer/utf8.h"

namespace headway::tokenizer {
namespace {

constexpr size_t kMaxMarkedBytes = size_t{1} << 30;

// A finite float as an integer that sorts the other way round: the higher the score, the lower the
// result.
uint32_t PriorityOf(float score) {
  constexpr uint32_t kSign = 0x80000000U;
  const auto bits = std::bit_cast<uint32_t>(score == 0.0F ? 0.0F : score);  // -0 equals 0
  return (bits & kSign) != 0 ? bits : ~(bits | kSign);
}

std::string Escape(std::string_view text, bool space_prefix) {
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 2 + kSpaceMark.size());
  if (space_prefix) escaped += kSpaceMark;
  for (const char c : text) {
    if (c == ' ') {
      escaped += kSpaceMark;
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

}  // namespace

SentencePieceEncoder SentencePieceEncoder::Create(const Vocabulary& vocabulary,
                                                  const std::array<int32_t, 256>& byte_ids) {
  SentencePieceEncoder encoder;
  encoder.byte_ids_ = byte_ids;
  if (vocabulary.unknown_id && vocabulary.Type(*vocabulary.unknown_id) != TokenType::kControl) {
    encoder.unknown_id_ = *vocabulary.unknown_id;  // byte_pair.cc says why
  }
  encoder.pieces_ = TokenTable(vocabulary.tokens.size());
  encoder.priorities_.reserve(vocabulary.tokens.size());
  for (const float score : vocabulary.scores) encoder.priorities_.push_back(PriorityOf(score));
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (vocabulary.IsSpecial(id) || vocabulary.Type(id) == TokenType::kByte) continue;
    encoder.pieces_.Insert(vocabulary.tokens[i], id);
    encoder.max_piece_bytes_ = std::max(encoder.max_piece_bytes_, vocabulary.tokens[i].size());
  }
  return encoder;
}

Result<void> SentencePieceEncoder::Encode(std::string_view text, bool space_prefix,
                                          std::vector<int32_t>* ids) const {
  if (text.size() >= kMaxMarkedBytes / kSpaceMark.size()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: text: expected less than {} bytes, found {}",
                            kMaxMarkedBytes / kSpaceMark.size(), text.size()));
  }
  const std::string escaped = Escape(text, space_prefix);
  const std::string_view all = escaped;
  MergeSpace space;
  std::vector<Symbol>& symbols = space.symbols;
  symbols.reserve(all.size());
  for (size_t begin = 0; begin < all.size();) {
    const size_t length = std::max<size_t>(Utf8CharacterBytes(all.substr(begin)), 1);
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({.begin = static_cast<uint32_t>(begin),
                       .length = static_cast<uint32_t>(length),
                       .id = pieces_.Find(all.substr(begin, length)),
                       .previous = index - 1,
                       .next = begin + length < all.size() ? index + 1 : -1});
    begin += length;
  }
  const auto find = [&](const Symbol& a, const Symbol& b) -> std::optional<Merge> {
    const size_t length = size_t{a.length} + b.length;
    if (length > max_piece_bytes_) return std::nullopt;
    const int32_t id = pieces_.Find(all.substr(a.begin, length));
    if (id < 0) return std::nullopt;
    return Merge{priorities_[static_cast<size_t>(id)], id};
  };
  MergeSymbols(find, &space);
  for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const Symbol& symbol = symbols[static_cast<size_t>(i)];
    if (symbol.id >= 0) {
      ids->push_back(symbol.id);
    } else {
      HW_TRY_VOID(AppendBytes(all.substr(symbol.begin, symbol.length), ids));
    }
  }
  return {};
}

Result<void> SentencePieceEncoder::AppendBytes(std::string_view character,
                                               std::vector<int32_t>* ids) const {
  for (const char c : character) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte_ids_[byte] >= 0) {
      ids->push_back(byte_ids_[byte]);
      continue;
    }
    if (unknown_id_ < 0) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format(
              "tokenizer: text: byte 0x{:02X} has no token in this vocabulary, and there is no "
              "unknown token",
              byte));
    }
    ids->push_back(unknown_id_);
  }
  return {};
}

}  // namespace headway::tokenizer
