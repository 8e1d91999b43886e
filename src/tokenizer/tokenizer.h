#pragma once

// Text <-> token ids for one vocabulary: byte-level BPE (Llama 3, Qwen, Phi-4-mini, GPT-2, ...) and
// SentencePiece (Gemma, Llama 2, Phi-3, ...). Immutable after Create and safe to use from several
// threads. For output while decoding use StreamDecoder (stream_decoder.h); for chat prompts chat/.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/byte_pair.h"
#include "tokenizer/sentence_piece.h"
#include "tokenizer/special_matcher.h"
#include "tokenizer/token_table.h"
#include "tokenizer/vocabulary.h"

namespace headway::tokenizer {

struct EncodeOptions {
  // Put the marks the vocabulary asks for (add_bos before, add_eos after the text).
  bool add_bos = true;
  bool parse_special = false;  // "<|end|>" in the text becomes that token; false: it stays text
};

// A stretch of text. Control tokens are looked for in trusted spans only.
struct TextSpan {
  size_t begin = 0;
  size_t end = 0;
  bool trusted = false;
};

class Tokenizer {
 public:
  // Takes a vocabulary from an untrusted file. Errors: kUnsupported (model, pre-tokenizer),
  // kInvalidInput (anything that contradicts itself; the message says which entry).
  static Result<Tokenizer> Create(Vocabulary vocabulary);

  // Token tables are views into the vocabulary, so a Tokenizer moves but is not copied.
  Tokenizer(Tokenizer&&) noexcept = default;
  Tokenizer& operator=(Tokenizer&&) noexcept = default;

  // The ids of any bytes. Without special tokens and with a vocabulary that has all bytes, Decode
  // gives the same bytes back (SentencePiece: but for U+2581, which it reads as a space). Errors:
  // kInvalidInput (a byte the vocabulary cannot express; texts of 256 MiB and more).
  Result<std::vector<int32_t>> Encode(std::string_view text, EncodeOptions options) const;

  // The same for a text in which only some stretches may hold special tokens: `spans`, in order,
  // cover it. A token never spans a border into or out of a trusted stretch as a special one; text on
  // both sides of a border is otherwise encoded together. `add_marks`: as EncodeOptions::add_bos.
  Result<std::vector<int32_t>> EncodeSpans(std::string_view text, std::span<const TextSpan> spans,
                                           bool add_marks) const;

  // The first special token that `text` spells, so that a caller who does not parse them can say
  // so; nothing when it spells none.
  std::optional<int32_t> FindSpecialToken(std::string_view text) const;

  // The bytes of `ids`: exact, so possibly not UTF-8. Special tokens appear only with
  // `keep_special`; ids outside the vocabulary give nothing. The space that SentencePiece puts
  // before a text is taken off again.
  std::string Decode(std::span<const int32_t> ids, bool keep_special = false) const;

  // Appends what Decode would write for one more id. `at_start` says whether a text begins here
  // (true at first and after a special token) and is updated.
  void AppendText(int32_t id, bool keep_special, bool* at_start, std::string* text) const;

  // The bytes that `id` stands for, special tokens by their name, spaces as spaces; empty outside
  // the vocabulary. Valid while this object lives.
  std::string_view TokenBytes(int32_t id) const;

  // True for the ids after which a model has nothing more to say: eos, extra_end_ids, and special
  // tokens with one of the names that docs/tokenizer.md lists.
  bool IsEndOfGeneration(int32_t id) const;
  // One more: what a chat template ends an answer with. Before the tokenizer is shared.
  void AddEndOfGeneration(int32_t id);

  // The id of the token written exactly like `text` in the vocabulary.
  std::optional<int32_t> FindToken(std::string_view text) const;

  int32_t VocabSize() const { return static_cast<int32_t>(vocabulary_.tokens.size()); }
  const Vocabulary& vocabulary() const { return vocabulary_; }

  // Equal for vocabularies that give the same ids to the same text: over model, tokens, scores and
  // merges, not over the chat template or what marks a sequence's ends. 32 hexadecimal digits.
  const std::string& DigestHex() const { return digest_; }

 private:
  explicit Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  Result<void> IndexTokens();
  Result<void> StoreTokenBytes();
  void AddSpecials();
  void ComputeDigest();
  std::optional<uint8_t> ByteOf(int32_t id) const;
  Result<std::vector<int32_t>> EncodeUnmarked(std::string_view text,
                                              std::span<const TextSpan> spans,
                                              bool add_marks) const;
  Result<void> EncodeText(std::string_view text, bool at_start, std::vector<int32_t>* ids) const;

  Vocabulary vocabulary_;
  // Token strings -> ids; apart, so that it stays in place when this moves.
  std::unique_ptr<TokenTable> texts_;
  std::vector<char> arena_;                    // all token bytes, one after the other
  std::vector<std::string_view> token_bytes_;  // by id, into arena_
  std::vector<int32_t> end_ids_;               // sorted
  SpecialMatcher specials_;
  std::optional<BytePairEncoder> byte_pair_;  // exactly one of the two
  std::optional<SentencePieceEncoder> sentence_piece_;
  std::string digest_;
};

}  // namespace headway::tokenizer
