#pragma once

// What a tokenizer is made of: a plain struct, so that this folder knows no file format.
// model/vocabulary.h fills it from GGUF metadata; tests and tools fill it by hand.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace headway::tokenizer {

// The numbers are GGUF's (tokenizer.ggml.token_type).
enum class TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // never part of text: <|end|>, <s>
  kUserDefined = 4,  // found in text before anything else is split
  kUnused = 5,
  kByte = 6,  // "<0x0A>": one raw byte
};

struct Vocabulary {
  std::string model;  // "gpt2": byte-level BPE; "llama": SentencePiece
  std::string pre;    // pre-tokenizer of a gpt2 model (pretokenizer_rules.h)
  std::vector<std::string>
      tokens;  // by id; gpt2 models write bytes in the byte alphabet (byte_alphabet.h)
  std::vector<float> scores;        // [tokens.size()]; required by llama models
  std::vector<TokenType> types;     // [tokens.size()] or empty: all normal but the ids below
  std::vector<std::string> merges;  // "left right", best first; required by gpt2 models
  std::optional<int32_t> bos_id;
  std::optional<int32_t> eos_id;
  std::optional<int32_t> unknown_id;
  std::optional<int32_t> padding_id;
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = true;      // llama models only
  bool strip_after_special = false;  // white space right of a special token vanishes (Phi-3)
  std::string chat_template;         // Jinja text, for chat/
  std::vector<int32_t> extra_end_ids;

  // The type of token `id`, which must be in range.
  TokenType Type(int32_t id) const;
  // True for tokens that steer the model instead of being text: control and unknown tokens, and
  // user-defined ones written like <|this|>, <unused9> or <end_of_turn> (files from before llama.cpp
  // marked those as control have them so).
  bool IsSpecial(int32_t id) const;
};

// Checks everything that can be wrong with a vocabulary from an untrusted file except its merges:
// sizes, types, ids, empty, oversized and non-finite entries. Duplicate tokens are found by
// Tokenizer::Create. Errors: kInvalidInput, kUnsupported (model).
Result<void> CheckVocabulary(const Vocabulary& vocabulary);

}  // namespace headway::tokenizer
