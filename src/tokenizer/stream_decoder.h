#pragma once

// Token ids to text while they are decoded, for terminals and streaming clients: whole UTF-8
// characters only. A character whose bytes are spread over tokens comes out with its last byte;
// bytes that can no longer become a character come out as U+FFFD, one for each maximal ill-formed
// stretch (Unicode 15, section 3.9). Where exact bytes matter, use Tokenizer::Decode.

#include <cstdint>
#include <string>

#include "tokenizer/tokenizer.h"

namespace headway::tokenizer {

class StreamDecoder {
 public:
  // `tokenizer` must outlive this. `at_start`: the ids begin a text, as a chat answer does, so that
  // SentencePiece's leading space is dropped; false: they continue a prompt. Special tokens are
  // left out.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool at_start = false)
      : tokenizer_(&tokenizer), at_start_(at_start) {}

  // The text that `id` completes; often empty inside a multi-token character.
  std::string Push(int32_t id);

  // What is still held back, as U+FFFD, or nothing. Afterwards a new text may begin.
  std::string Finish();

 private:
  const Tokenizer* tokenizer_;
  bool at_start_;
  std::string pending_;  // the beginning of one character, at most 3 bytes
};

}  // namespace headway::tokenizer
