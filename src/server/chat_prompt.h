#pragma once

// Conversations to prompts, in the model's own chat format: the one place that knows how.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/answers.h"
#include "server/chat_request.h"
#include "server/http.h"
#include "server/service.h"

namespace headway::server {

// The ids of the prompt, up to where the assistant's answer begins. Errors: 400 (a model without a
// chat format, messages that it has no place for).
Parsed<std::vector<int32_t>> EncodeChat(const Service& service, const ChatRequest& request);
// How many the prompt of a request's body has. Errors: and those of reading it.
Parsed<int64_t> CountPrompt(const Service& service, const HttpRequest& http,
                            Parsed<ChatRequest> (*parse)(const Json& body));
// The same as text, to be shown.
Parsed<std::string> RenderChat(const Service& service, const ChatRequest& request);

// Encodes and submits. Errors: those of EncodeChat, Service::PrepareChoices and Service::Begin.
Parsed<std::unique_ptr<Answers>> BeginChat(const Service& service, ChatRequest request,
                                           const HttpRequest& http);

}  // namespace headway::server
