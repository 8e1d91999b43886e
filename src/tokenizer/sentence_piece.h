#pragma once

// SentencePiece's BPE as the files of Llama 2, Gemma, ERNIE 4.5 and Phi-3 carry it: no
// pre-tokenizer, spaces written as U+2581, neighbours joined by the score of the token they form,
// characters without a token spelled as byte tokens <0xNN>. Used by Tokenizer, which has split off
// special tokens before.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tokenizer/merge.h"
#include "tokenizer/token_table.h"
#include "tokenizer/vocabulary.h"

namespace headway::tokenizer {

// The space of SentencePiece, "lower one eighth block".
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

class SentencePieceEncoder {
 public:
  // `texts` maps the token strings of `vocabulary` to ids and must outlive the encoder. byte_ids:
  // the token of each byte, -1: none. Special and byte tokens take no part in merging: text cannot
  // become one.
  static SentencePieceEncoder Create(const Vocabulary& vocabulary, const TokenTable& texts,
                                     const std::array<int32_t, 256>& byte_ids);

  // Appends the ids of `text`; with `space_prefix` as if a space stood before it. Invalid UTF-8 is
  // spelled in byte tokens. Errors: kInvalidInput (1 GiB or more; a character has neither a token
  // nor bytes, and there is no unknown token). Thread-safe.
  Result<void> Encode(std::string_view text, bool space_prefix, std::vector<int32_t>* ids) const;

 private:
  explicit SentencePieceEncoder(const TokenTable* texts) : texts_(texts) {}
  int32_t FindPiece(std::string_view text) const;
  size_t StretchEnd(std::string_view marked, size_t begin) const;
  Result<void> EncodeStretch(std::string_view stretch, MergeSpace* space,
                             std::vector<int32_t>* ids) const;
  Result<void> AppendBytes(std::string_view character, std::vector<int32_t>* ids) const;

  const TokenTable* texts_;
  std::vector<uint32_t> priorities_;  // by id; from the scores, lower is better
  // By byte: some piece has it right before a space mark.
  std::array<bool, 256> precedes_mark_{};
  std::array<int32_t, 256> byte_ids_{};
  int32_t unknown_id_ = -1;
  size_t max_piece_bytes_ = 0;
};

}  // namespace headway::tokenizer
