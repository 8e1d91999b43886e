#include "tokenizer/byte_pair.h"

#include <fmt/format.h>

#include <bit>
#include <optional>
#include <string>
#include <utility>

#include "base/quoted.h"
#include "tokenizer/byte_alphabet.h"

namespace headway::tokenizer {
namespace {

uint64_t PairOf(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// Fibonacci hashing: the high bits of the product depend on all bits of the pair.
size_t SlotOfPair(uint64_t pair, size_t num_slots) {
  return (pair * 0x9E3779B97F4A7C15U) >> (64 - std::countr_zero(num_slots));
}

}  // namespace

Result<BytePairEncoder> BytePairEncoder::Create(const Vocabulary& vocabulary,
                                                const TokenTable& texts,
                                                const std::vector<std::string_view>& token_bytes) {
  HW_TRY(auto pretokenizer, Pretokenizer::Create(vocabulary.pre));
  BytePairEncoder encoder(std::move(pretokenizer));
  // Files without an unknown token often name the end of text instead; text must not become that.
  if (vocabulary.unknown_id && vocabulary.Type(*vocabulary.unknown_id) != TokenType::kControl) {
    encoder.unknown_id_ = *vocabulary.unknown_id;
  }
  // DeepSeek's vocabularies have user-defined characters where the tokens of bytes would stand that
  // UTF-8 does not use; those are no bytes.
  for (size_t byte = 0; byte < 256; ++byte) {
    const int32_t id = texts.Find(ByteAlphabetCharacter(static_cast<uint8_t>(byte)));
    const bool is_byte = id >= 0 && vocabulary.Type(id) == TokenType::kNormal;
    encoder.byte_ids_[byte] = is_byte ? id : -1;
  }
  HW_TRY_VOID(encoder.AddMerges(vocabulary, texts));

  const size_t num_tokens = vocabulary.tokens.size();
  encoder.pieces_ = TokenTable(num_tokens);
  encoder.reach_ = std::make_unique<std::atomic<Reach>[]>(num_tokens);
  for (size_t i = 0; i < num_tokens; ++i) {
    const auto id = static_cast<int32_t>(i);
    if (vocabulary.Type(id) == TokenType::kNormal) encoder.pieces_.Insert(token_bytes[i], id);
  }
  return encoder;
}

Result<void> BytePairEncoder::AddMerges(const Vocabulary& vocabulary, const TokenTable& texts) {
  const std::vector<std::string>& merges = vocabulary.merges;
  merges_.resize(std::bit_ceil(merges.size() * 2 + 2));
  std::string joined;
  int32_t joined_id = -1;
  for (size_t i = 0; i < merges.size(); ++i) {
    const std::string_view merge = merges[i];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == merge.size()) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("tokenizer: merge {}: expected two tokens with a space between, found {}", i,
                      Quoted(merge)));
    }
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    joined.assign(left).append(right);
    const int32_t left_id = texts.Find(left);
    const int32_t right_id = texts.Find(right);
    // Nearly always that of the merge before or the next one: what it is need not be looked up.
    const auto is_joined = [&](int32_t id) {
      return static_cast<size_t>(id) < vocabulary.tokens.size() &&
             vocabulary.tokens[static_cast<size_t>(id)] == joined;
    };
    if (!is_joined(joined_id) && !is_joined(++joined_id)) joined_id = texts.Find(joined);
    if (left_id < 0 || right_id < 0 || joined_id < 0) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("tokenizer: merge {} ({}): expected tokens of the vocabulary, found none "
                      "with the text {}",
                      i, Quoted(merge),
                      Quoted(left_id < 0    ? left
                             : right_id < 0 ? right
                                            : joined)));
    }
    if (vocabulary.IsSpecial(joined_id)) continue;
    AddMerge(PairOf(left_id, right_id), {static_cast<uint32_t>(i), joined_id});
  }
  return {};
}

// The first of several entries for the same pair counts.
void BytePairEncoder::AddMerge(uint64_t pair, Merge merge) {
  size_t i = SlotOfPair(pair, merges_.size());
  while (merges_[i].pair != kNoPair && merges_[i].pair != pair) i = (i + 1) & (merges_.size() - 1);
  if (merges_[i].pair == kNoPair) merges_[i] = {pair, merge};
}

std::optional<Merge> BytePairEncoder::FindMerge(int32_t left, int32_t right) const {
  if (left < 0 || right < 0) return std::nullopt;
  const uint64_t pair = PairOf(left, right);
  size_t i = SlotOfPair(pair, merges_.size());
  while (merges_[i].pair != pair) {
    if (merges_[i].pair == kNoPair) return std::nullopt;
    i = (i + 1) & (merges_.size() - 1);
  }
  return merges_[i].merge;
}

Result<void> BytePairEncoder::Encode(std::string_view text, std::vector<int32_t>* ids) const {
  std::vector<uint32_t> ends;
  HW_TRY_VOID(pretokenizer_.Split(text, &ends));
  MergeSpace space;
  size_t begin = 0;
  for (const uint32_t end : ends) {
    HW_TRY_VOID(EncodePiece(text.substr(begin, end - begin), &space, ids));
    begin = end;
  }
  return {};
}

// Nine of ten pieces of English are one token; looking the whole piece up first spares them the
// merges.
Result<void> BytePairEncoder::EncodePiece(std::string_view piece, MergeSpace* space,
                                          std::vector<int32_t>* ids) const {
  const int32_t whole = pieces_.Find(piece);
  if (whole < 0) return MergePiece(piece, space, ids);
  std::atomic<Reach>& known = reach_[static_cast<size_t>(whole)];
  Reach reach = known.load(std::memory_order_relaxed);
  if (pretokenizer_.WholePiecesFirst()) reach = Reach::kItself;
  if (reach == Reach::kItself) {
    ids->push_back(whole);
    return {};
  }
  const size_t size_before = ids->size();
  HW_TRY_VOID(MergePiece(piece, space, ids));
  const bool itself = ids->size() == size_before + 1 && ids->back() == whole;
  known.store(itself ? Reach::kItself : Reach::kOther, std::memory_order_relaxed);
  return {};
}

Result<void> BytePairEncoder::MergePiece(std::string_view piece, MergeSpace* space,
                                         std::vector<int32_t>* ids) const {
  std::vector<Symbol>& symbols = space->symbols;
  symbols.resize(piece.size());
  const auto size = static_cast<int32_t>(piece.size());
  for (int32_t i = 0; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(piece[static_cast<size_t>(i)]);
    symbols[static_cast<size_t>(i)] = {.begin = static_cast<uint32_t>(i),
                                       .length = 1,
                                       .id = byte_ids_[byte],
                                       .previous = i - 1,
                                       .next = i + 1 < size ? i + 1 : -1};
  }
  MergeSymbols([this](const Symbol& a, const Symbol& b) { return FindMerge(a.id, b.id); }, space);
  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const Symbol& symbol = symbols[static_cast<size_t>(i)];
    const int32_t id = symbol.id >= 0 ? symbol.id : unknown_id_;
    if (id < 0) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format(
              "tokenizer: text: byte 0x{:02X} has no token in this vocabulary, and there is no "
              "unknown token",
              static_cast<uint8_t>(piece[symbol.begin])));
    }
    ids->push_back(id);
  }
  return {};
}

}  // namespace headway::tokenizer
