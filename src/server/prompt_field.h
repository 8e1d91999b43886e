#pragma once

// Prompts and inputs as OpenAI's and llama-server's requests have them: a text, token ids, or a list
// of either.

#include <cstdint>
#include <string>
#include <vector>

#include "server/fields.h"
#include "tokenizer/tokenizer.h"

namespace headway::server {

struct PromptPiece {
  std::string text = {};
  std::vector<int32_t> ids = {};  // instead of the text
  bool is_text = true;
};

// At most that many in one request.
inline constexpr size_t kMostPrompts = 256;

// Errors are remembered by `fields`.
std::vector<PromptPiece> ReadPrompts(Fields* fields, std::string_view name);

// The ids of a prompt; of a text with the marks that the vocabulary asks for. Errors: 400.
Parsed<std::vector<int32_t>> EncodePiece(const tokenizer::Tokenizer& tokenizer,
                                         const PromptPiece& piece, const std::string& name);

}  // namespace headway::server
