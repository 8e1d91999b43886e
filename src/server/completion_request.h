#pragma once

// A request for text that goes on from a prompt: OpenAI's /v1/completions and llama-server's
// /completion. Knows no model.

#include <string>
#include <vector>

#include "server/generation_options.h"
#include "server/prompt_field.h"

namespace headway::server {

struct CompletionRequest {
  std::vector<PromptPiece> prompts;
  GenerationOptions options;
  bool echo = false;                              // OpenAI's: the prompt's text comes first
  bool return_tokens = false;                     // llama-server's: the ids, too
  std::vector<std::string> response_fields = {};  // llama-server's: those alone; empty: all
};

Parsed<CompletionRequest> ParseOpenAiCompletion(const Json& body);
Parsed<CompletionRequest> ParseLlamaCompletion(const Json& body);

}  // namespace headway::server
