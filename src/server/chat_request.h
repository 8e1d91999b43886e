#pragma once

// A request for the next message of a conversation, whichever API it came by. What is read here
// knows no model: it can be tested, and fuzzed, on its own.

#include <string>
#include <vector>

#include "headway/chat_message.h"
#include "server/api_error.h"
#include "server/fields.h"
#include "server/generation_options.h"
#include "server/json.h"
#include "server/tools.h"

namespace headway::server {

struct ChatRequest {
  std::vector<ChatMessage> messages;  // at least one
  Tools tools;
  std::string template_variables = {};  // a JSON object, for the model's chat template; empty: none
  GenerationOptions options;
  bool add_generation_prompt = true;  // the prompt ends where an answer begins
  bool continues_last = false;        // the answer goes on from the last message, the assistant's
};

// POST /v1/chat/completions. Errors: 400, naming the field.
Parsed<ChatRequest> ParseChatCompletion(const Json& body);
// POST /v1/responses.
Parsed<ChatRequest> ParseResponsesRequest(const Json& body);
// POST /v1/messages, Anthropic's; count_tokens asks without max_tokens.
Parsed<ChatRequest> ParseMessagesRequest(const Json& body, bool needs_max_tokens);

// add_generation_prompt and continue_final_message: by default an assistant's message at the end is
// gone on with, as llama-server and Anthropic have it, unless it made calls or there are tools.
// Errors are remembered by `fields`.
void ReadTurns(Fields* fields, bool last_has_calls, ChatRequest* request);

// A list of OpenAI's messages.
Parsed<std::vector<ChatMessage>> ReadMessages(const Json& messages, const std::string& where);
// The text of a message's content: a string, null, or a list of parts of text. Errors: 400 for parts
// that are no text.
Parsed<std::string> ReadContent(const Json* content_or_null, const std::string& where);

}  // namespace headway::server
