#include "tokenizer/sentence_piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string>

#include "base/utf8.h"
#include "tokenizer/merge.h"

namespace headway::tokenizer {
namespace {

constexpr size_t kMaxMarkedBytes = size_t{1} << 30;
constexpr uint32_t kNeverJoined = 0xFFFFFFFFU;  // the priority of no finite score

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
                                                  const TokenTable& texts,
                                                  const std::array<int32_t, 256>& byte_ids) {
  SentencePieceEncoder encoder(&texts);
  encoder.byte_ids_ = byte_ids;
  if (vocabulary.unknown_id && vocabulary.Type(*vocabulary.unknown_id) != TokenType::kControl) {
    encoder.unknown_id_ = *vocabulary.unknown_id;  // byte_pair.cc says why
  }
  encoder.priorities_.reserve(vocabulary.tokens.size());
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const bool joins = !vocabulary.IsSpecial(id) && vocabulary.Type(id) != TokenType::kByte;
    encoder.priorities_.push_back(joins ? PriorityOf(vocabulary.scores[i]) : kNeverJoined);
    if (!joins) continue;
    const std::string& text = vocabulary.tokens[i];
    encoder.max_piece_bytes_ = std::max(encoder.max_piece_bytes_, text.size());
    for (size_t mark = text.find(kSpaceMark, 1); mark != std::string::npos;
         mark = text.find(kSpaceMark, mark + 1)) {
      encoder.precedes_mark_[static_cast<uint8_t>(text[mark - 1])] = true;
    }
  }
  return encoder;
}

// The id, or -1 when no token that text may become is written so.
int32_t SentencePieceEncoder::FindPiece(std::string_view text) const {
  const int32_t id = texts_->Find(text);
  return id >= 0 && priorities_[static_cast<size_t>(id)] != kNeverJoined ? id : -1;
}

Result<void> SentencePieceEncoder::Encode(std::string_view text, bool space_prefix,
                                          std::vector<int32_t>* ids) const {
  if (text.size() >= kMaxMarkedBytes / kSpaceMark.size()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: text: expected less than {} bytes, found {}",
                            kMaxMarkedBytes / kSpaceMark.size(), text.size()));
  }
  const std::string marked = Escape(text, space_prefix);
  MergeSpace space;
  for (size_t begin = 0; begin < marked.size();) {
    const size_t end = StretchEnd(marked, begin);
    HW_TRY_VOID(EncodeStretch(std::string_view(marked).substr(begin, end - begin), &space, ids));
    begin = end;
  }
  return {};
}

// Stretches end before a space mark that no piece could join to the byte on its left, so each can
// be merged by itself: nearly always words, whose symbols stay in the nearest cache, and the same
// ids as of the whole text.
size_t SentencePieceEncoder::StretchEnd(std::string_view marked, size_t begin) const {
  for (size_t mark = marked.find(kSpaceMark, begin + 1); mark != std::string_view::npos;
       mark = marked.find(kSpaceMark, mark + 1)) {
    if (!precedes_mark_[static_cast<uint8_t>(marked[mark - 1])]) return mark;
  }
  return marked.size();
}

Result<void> SentencePieceEncoder::EncodeStretch(std::string_view stretch, MergeSpace* space,
                                                 std::vector<int32_t>* ids) const {
  std::vector<Symbol>& symbols = space->symbols;
  symbols.clear();
  for (size_t begin = 0; begin < stretch.size();) {
    const size_t length = std::max<size_t>(Utf8CharacterBytes(stretch.substr(begin)), 1);
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({.begin = static_cast<uint32_t>(begin),
                       .length = static_cast<uint32_t>(length),
                       .id = FindPiece(stretch.substr(begin, length)),
                       .previous = index - 1,
                       .next = begin + length < stretch.size() ? index + 1 : -1});
    begin += length;
  }
  const auto find = [&](const Symbol& a, const Symbol& b) -> std::optional<Merge> {
    const size_t length = size_t{a.length} + b.length;
    if (length > max_piece_bytes_) return std::nullopt;
    const int32_t id = FindPiece(stretch.substr(a.begin, length));
    if (id < 0) return std::nullopt;
    return Merge{priorities_[static_cast<size_t>(id)], id};
  };
  MergeSymbols(find, space);
  for (int32_t i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const Symbol& symbol = symbols[static_cast<size_t>(i)];
    if (symbol.id >= 0) {
      ids->push_back(symbol.id);
    } else {
      HW_TRY_VOID(AppendBytes(stretch.substr(symbol.begin, symbol.length), ids));
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
