#include "tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/digest.h"
#include "base/quoted.h"
#include "tokenizer/byte_alphabet.h"

namespace headway::tokenizer {
namespace {

// As llama.cpp knows them; only special tokens count.
constexpr std::string_view kEndNames[] = {
    "<|end|>",         "<|endoftext|>", "<|im_end|>",         "<|eot_id|>", "<|eom_id|>",
    "<|end_of_text|>", "<end_of_turn>", "<end_of_utterance>", "<EOT>",      "[EOT]"};

bool IsAsciiSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// "<0x0A>" -> 10.
std::optional<uint8_t> ParseByteToken(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return std::nullopt;
  uint8_t byte = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return byte;
}

void Append(std::string_view text, std::vector<char>* bytes) {
  bytes->insert(bytes->end(), text.begin(), text.end());
}

void AppendWithSpaces(std::string_view text, std::vector<char>* bytes) {
  while (!text.empty()) {
    const size_t mark = std::min(text.find(kSpaceMark), text.size());
    Append(text.substr(0, mark), bytes);
    if (mark < text.size()) bytes->push_back(' ');
    text.remove_prefix(std::min(text.size(), mark + kSpaceMark.size()));
  }
}

}  // namespace

Result<Tokenizer> Tokenizer::Create(Vocabulary vocabulary) {
  HW_TRY_VOID(CheckVocabulary(vocabulary));
  Tokenizer tokenizer(std::move(vocabulary));
  HW_TRY_VOID(tokenizer.IndexTokens());
  HW_TRY_VOID(tokenizer.StoreTokenBytes());
  tokenizer.AddSpecials();
  const Vocabulary& words = tokenizer.vocabulary_;
  if (words.model == "gpt2") {
    HW_TRY(auto encoder, BytePairEncoder::Create(words, *tokenizer.texts_, tokenizer.token_bytes_));
    tokenizer.byte_pair_.emplace(std::move(encoder));
  } else {
    std::array<int32_t, 256> byte_ids{};
    byte_ids.fill(-1);
    for (int32_t id = 0; id < tokenizer.VocabSize(); ++id) {
      if (const auto byte = tokenizer.ByteOf(id)) byte_ids[*byte] = id;
    }
    tokenizer.sentence_piece_.emplace(
        SentencePieceEncoder::Create(words, *tokenizer.texts_, byte_ids));
  }
  tokenizer.ComputeDigest();
  return tokenizer;
}

Result<void> Tokenizer::IndexTokens() {
  texts_ = std::make_unique<TokenTable>(vocabulary_.tokens.size());
  for (int32_t id = 0; id < VocabSize(); ++id) {
    const std::string& text = vocabulary_.tokens[static_cast<size_t>(id)];
    const int32_t other = texts_->Insert(text, id);
    if (other < 0) continue;
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("tokenizer: tokens {} and {}: expected different texts, found {} twice",
                            other, id, Quoted(text)));
  }
  return {};
}

// A file without types (all tokens normal) still has byte tokens, known by their text.
std::optional<uint8_t> Tokenizer::ByteOf(int32_t id) const {
  const bool may_be_byte = vocabulary_.Type(id) == TokenType::kByte ||
                           (vocabulary_.types.empty() && vocabulary_.model == "llama");
  if (!may_be_byte) return std::nullopt;
  return ParseByteToken(vocabulary_.tokens[static_cast<size_t>(id)]);
}

Result<void> Tokenizer::StoreTokenBytes() {
  size_t total = 0;
  for (const std::string& text : vocabulary_.tokens) total += text.size();
  arena_.reserve(total);  // no token's bytes are longer than its text, so arena_ never moves below
  token_bytes_.reserve(vocabulary_.tokens.size());
  const bool byte_level = vocabulary_.model == "gpt2";
  for (int32_t id = 0; id < VocabSize(); ++id) {
    const TokenType type = vocabulary_.Type(id);
    const std::string& text = vocabulary_.tokens[static_cast<size_t>(id)];
    const size_t begin = arena_.size();
    if (const auto byte = ByteOf(id)) {
      arena_.push_back(static_cast<char>(*byte));
    } else if (type == TokenType::kByte) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("tokenizer: byte token {}: expected '<0x00>' to '<0xFF>', found {}",
                              id, Quoted(text)));
    } else if (byte_level && type == TokenType::kNormal) {
      // Text outside the byte alphabet stands for itself.
      Append(FromByteAlphabet(text).value_or(text), &arena_);
    } else if (!byte_level && !vocabulary_.IsSpecial(id)) {
      AppendWithSpaces(text, &arena_);
    } else {
      Append(text, &arena_);
    }
    token_bytes_.emplace_back(arena_.data() + begin, arena_.size() - begin);
  }
  return {};
}

void Tokenizer::AddSpecials() {
  for (int32_t id = 0; id < VocabSize(); ++id) {
    const bool special = vocabulary_.IsSpecial(id);
    if (!special && vocabulary_.Type(id) != TokenType::kUserDefined) continue;
    const std::string& text = vocabulary_.tokens[static_cast<size_t>(id)];
    specials_.Add(text, id, special);
    if (special &&
        std::find(std::begin(kEndNames), std::end(kEndNames), text) != std::end(kEndNames)) {
      end_ids_.push_back(id);
    }
  }
  if (vocabulary_.eos_id) end_ids_.push_back(*vocabulary_.eos_id);
  end_ids_.insert(end_ids_.end(), vocabulary_.extra_end_ids.begin(),
                  vocabulary_.extra_end_ids.end());
  std::sort(end_ids_.begin(), end_ids_.end());
  end_ids_.erase(std::unique(end_ids_.begin(), end_ids_.end()), end_ids_.end());
}

void Tokenizer::ComputeDigest() {
  StreamingDigest digest;
  const auto add = [&](std::string_view text) {
    const uint64_t length = text.size();
    digest.Update(std::as_bytes(std::span(&length, 1)));
    digest.Update(std::as_bytes(std::span(text.data(), text.size())));
  };
  add(vocabulary_.model);
  for (const std::string& token : vocabulary_.tokens) add(token);
  for (const std::string& merge : vocabulary_.merges) add(merge);
  if (vocabulary_.model == "llama") digest.Update(std::as_bytes(std::span(vocabulary_.scores)));
  digest_ = digest.Hex();
}

Result<std::vector<int32_t>> Tokenizer::Encode(std::string_view text, EncodeOptions options) const {
  const TextSpan all = {0, text.size(), options.parse_special};
  return EncodeSpans(text, std::span(&all, 1), options.add_bos);
}

// SentencePiece cannot tell U+2581 from a space, so both are spaces before user-defined tokens made
// of spaces are looked for.
Result<std::vector<int32_t>> Tokenizer::EncodeSpans(std::string_view text,
                                                    std::span<const TextSpan> spans,
                                                    bool add_marks) const {
  if (!sentence_piece_ || text.find(kSpaceMark) == std::string_view::npos) {
    return EncodeUnmarked(text, spans, add_marks);
  }
  std::vector<char> unmarked;
  std::vector<TextSpan> moved(spans.begin(), spans.end());
  for (TextSpan& span : moved) {
    const size_t begin = unmarked.size();
    AppendWithSpaces(text.substr(span.begin, span.end - span.begin), &unmarked);
    span = {begin, unmarked.size(), span.trusted};
  }
  return EncodeUnmarked(std::string_view(unmarked.data(), unmarked.size()), moved, add_marks);
}

// Text between two matches is encoded in one go, even across spans, as if the whole had been one
// string; but a match never crosses from one span into the next.
Result<std::vector<int32_t>> Tokenizer::EncodeUnmarked(std::string_view text,
                                                       std::span<const TextSpan> spans,
                                                       bool add_marks) const {
  std::vector<int32_t> ids;
  if (add_marks && vocabulary_.add_bos) ids.push_back(*vocabulary_.bos_id);
  size_t done = 0;  // text[0, done) is encoded
  bool at_start = true;
  const auto encode_until = [&](size_t end) -> Result<void> {
    if (end <= done) return {};
    HW_TRY_VOID(EncodeText(text.substr(done, end - done), at_start, &ids));
    done = end;
    at_start = false;
    return {};
  };
  for (const TextSpan& span : spans) {
    const std::string_view until_span_end = text.substr(0, span.end);
    for (size_t from = std::max(span.begin, done); from < span.end;) {
      const SpecialMatcher::Match match = specials_.Find(until_span_end, from, span.trusted);
      if (match.length == 0) break;
      HW_TRY_VOID(encode_until(match.begin));
      ids.push_back(match.id);
      done = match.begin + match.length;
      at_start = true;
      // As llama.cpp does for Phi-3: not after <s>, <unk> and <|endoftext|>.
      const bool strips = vocabulary_.strip_after_special && vocabulary_.IsSpecial(match.id) &&
                          match.id != vocabulary_.bos_id && match.id != vocabulary_.unknown_id &&
                          vocabulary_.tokens[static_cast<size_t>(match.id)] != "<|endoftext|>";
      while (strips && done < text.size() && IsAsciiSpace(text[done])) ++done;
      from = done;
    }
  }
  HW_TRY_VOID(encode_until(text.size()));
  if (add_marks && vocabulary_.add_eos) ids.push_back(*vocabulary_.eos_id);
  return ids;
}

Result<void> Tokenizer::EncodeText(std::string_view text, bool at_start,
                                   std::vector<int32_t>* ids) const {
  if (byte_pair_) return byte_pair_->Encode(text, ids);
  return sentence_piece_->Encode(text, at_start && vocabulary_.add_space_prefix, ids);
}

std::optional<int32_t> Tokenizer::FindSpecialToken(std::string_view text) const {
  for (size_t from = 0; from < text.size();) {
    const SpecialMatcher::Match match = specials_.Find(text, from, true);
    if (match.length == 0) break;
    if (vocabulary_.IsSpecial(match.id)) return match.id;
    from = match.begin + match.length;
  }
  return std::nullopt;
}

std::string_view Tokenizer::TokenBytes(int32_t id) const {
  if (id < 0 || id >= VocabSize()) return {};
  return token_bytes_[static_cast<size_t>(id)];
}

void Tokenizer::AppendText(int32_t id, bool keep_special, bool* at_start, std::string* text) const {
  if (id < 0 || id >= VocabSize()) return;
  std::string_view bytes = token_bytes_[static_cast<size_t>(id)];
  if (vocabulary_.IsSpecial(id)) {
    if (keep_special) *text += bytes;
    *at_start = true;
    return;
  }
  const bool drops_space = *at_start && sentence_piece_ && vocabulary_.add_space_prefix;
  const bool user_defined = vocabulary_.Type(id) == TokenType::kUserDefined;
  if (drops_space && !user_defined && bytes.substr(0, 1) == " ") bytes.remove_prefix(1);
  *text += bytes;
  *at_start = user_defined;
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool keep_special) const {
  std::string text;
  bool at_start = true;
  for (const int32_t id : ids) AppendText(id, keep_special, &at_start, &text);
  return text;
}

void Tokenizer::AddEndOfGeneration(int32_t id) {
  const auto place = std::lower_bound(end_ids_.begin(), end_ids_.end(), id);
  if (place == end_ids_.end() || *place != id) end_ids_.insert(place, id);
}

bool Tokenizer::IsEndOfGeneration(int32_t id) const {
  return std::binary_search(end_ids_.begin(), end_ids_.end(), id);
}

std::optional<int32_t> Tokenizer::FindToken(std::string_view text) const {
  const int32_t id = texts_->Find(text);
  return id < 0 ? std::nullopt : std::optional<int32_t>(id);
}

}  // namespace headway::tokenizer
