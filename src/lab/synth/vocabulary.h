#pragma once

// A made-up byte-level BPE vocabulary of any size: the 256 bytes, then letter combinations from
// frequent to rare, each the merge of two earlier tokens, then Phi-4's special tokens. Good enough
// for every tokenizer that reads GGUF to load it and to round-trip any text.

#include <cstdint>
#include <string>
#include <vector>

namespace headway::synth {

// Values of tokenizer.ggml.token_type. Source: GGUF specification.
inline constexpr int32_t kTokenNormal = 1;
inline constexpr int32_t kTokenControl = 3;
inline constexpr int32_t kTokenUnused = 5;

struct MadeUpVocabulary {
  std::vector<std::string> tokens;   // [V]
  std::vector<int32_t> token_types;  // [V]
  std::vector<std::string> merges;   // "left right", by rank
  uint32_t end_of_text_id = 0;       // begins and ends texts
};

// Requires 272 <= vocab_size <= 400000. With 1000 tokens or more the special tokens have
// Phi-4-mini's distances from the end (<|endoftext|> is 199999 of 200064); smaller vocabularies
// keep them in the last 16 places.
MadeUpVocabulary MakeVocabulary(uint32_t vocab_size);

}  // namespace headway::synth
