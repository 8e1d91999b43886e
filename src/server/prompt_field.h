#pragma once

// Prompts and inputs as OpenAI's and llama-server's requests have them: a text, token ids, both mixed,
// or a list of such.

#include <cstdint>
#include <string>
#include <vector>

#include "server/fields.h"
#include "tokenizer/tokenizer.h"

namespace headway::server {

struct PromptPart {
  std::string text = {};
  std::vector<int32_t> ids = {};  // instead of the text
  bool is_text = true;
};

// One prompt: its parts follow each other.
using PromptPiece = std::vector<PromptPart>;

// At most that many in one request.
inline constexpr size_t kMostPrompts = 256;

// "text", [1, 2], [1, "text", 2], {"prompt_string": "text"}, {"content": [{"type": "text", "text":
// "..."}]}, or a list of such: a list of ids and texts is one prompt where an id stands in it. Errors
// are remembered by `fields`.
std::vector<PromptPiece> ReadPrompts(Fields* fields, std::string_view name);

// The ids of a prompt; one that begins with a text has the marks that the vocabulary asks for.
// Errors: 400.
Parsed<std::vector<int32_t>> EncodePiece(const tokenizer::Tokenizer& tokenizer,
                                         const PromptPiece& piece, const std::string& name);
// Ids and texts as the text they stand for.
std::string PieceText(const tokenizer::Tokenizer& tokenizer, const PromptPiece& piece);

}  // namespace headway::server
