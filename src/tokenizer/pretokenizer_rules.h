#pragma once

// The published regular expressions of the model families, by the names that GGUF files have for
// them (tokenizer.ggml.pre). docs/tokenizer.md lists names and sources.

#include <span>
#include <string>
#include <string_view>

namespace headway::tokenizer {

struct PretokenizerRules {
  // In order, each over every piece that the one before left: its matches become pieces, and so do
  // the stretches between them. None matches the empty text.
  std::span<const char* const> stages;
  // A piece that is a token as a whole is that token, whatever the merges say.
  bool whole_pieces_first = false;
  bool adds_bos = false;  // what a file without tokenizer.ggml.add_bos_token means
};

// Nothing when the name is not known.
const PretokenizerRules* FindPretokenizerRules(std::string_view name);

// All names, with spaces between.
std::string PretokenizerNames();

}  // namespace headway::tokenizer
