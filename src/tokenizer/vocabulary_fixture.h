#pragma once

// Small vocabularies for the tests of this folder.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/vocabulary.h"

namespace headway::tokenizer {

// Adds `text` and returns its id.
inline int32_t AddToken(const std::string& text, TokenType type, float score,
                        Vocabulary* vocabulary) {
  vocabulary->tokens.push_back(text);
  vocabulary->types.push_back(type);
  vocabulary->scores.push_back(score);
  return static_cast<int32_t>(vocabulary->tokens.size()) - 1;
}

// Byte-level BPE: ids 0 to 255 are the bytes, then one token per merge ("left right" in the byte
// alphabet), then the special tokens.
inline Vocabulary ByteLevelVocabulary(const std::string& pre,
                                      const std::vector<std::string>& merges,
                                      const std::vector<std::string>& specials = {}) {
  Vocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  for (int byte = 0; byte < 256; ++byte) {
    AddToken(ByteAlphabetCharacter(static_cast<uint8_t>(byte)), TokenType::kNormal, 0.0F,
             &vocabulary);
  }
  for (const std::string& merge : merges) {
    const size_t space = merge.find(' ', 1);
    AddToken(merge.substr(0, space) + merge.substr(space + 1), TokenType::kNormal, 0.0F,
             &vocabulary);
  }
  for (const std::string& special : specials) {
    AddToken(special, TokenType::kControl, 0.0F, &vocabulary);
  }
  vocabulary.merges = merges;
  return vocabulary;
}

// SentencePiece: <unk> 0, <s> 1, </s> 2, bytes 3 to 258, then `pieces` with scores -1, -2, ... from
// 259 on.
inline Vocabulary SentencePieceVocabulary(const std::vector<std::string>& pieces) {
  Vocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.unknown_id = AddToken("<unk>", TokenType::kUnknown, 0.0F, &vocabulary);
  vocabulary.bos_id = AddToken("<s>", TokenType::kControl, 0.0F, &vocabulary);
  vocabulary.eos_id = AddToken("</s>", TokenType::kControl, 0.0F, &vocabulary);
  vocabulary.add_bos = true;
  for (int byte = 0; byte < 256; ++byte) {
    AddToken(fmt::format("<0x{:02X}>", byte), TokenType::kByte, 0.0F, &vocabulary);
  }
  float score = -1.0F;
  for (const std::string& piece : pieces) AddToken(piece, TokenType::kNormal, score--, &vocabulary);
  return vocabulary;
}

}  // namespace headway::tokenizer
