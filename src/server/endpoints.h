#pragma once

// The endpoints, one function each (docs/serving.md); router.cc says at which paths. All may be
// called by many threads at once.

#include "server/http.h"
#include "server/service.h"

namespace headway::server {

// OpenAI
HttpReply ListModels(const Service& service, const HttpRequest& request);
HttpReply ChatCompletions(const Service& service, const HttpRequest& request);
HttpReply ChatInputTokens(const Service& service, const HttpRequest& request);
HttpReply Completions(const Service& service, const HttpRequest& request);
HttpReply Responses(const Service& service, const HttpRequest& request);
HttpReply ResponseInputTokens(const Service& service, const HttpRequest& request);
HttpReply Embeddings(const Service& service, const HttpRequest& request);

// Anthropic
HttpReply Messages(const Service& service, const HttpRequest& request);
HttpReply CountTokens(const Service& service, const HttpRequest& request);

// llama-server
HttpReply Completion(const Service& service, const HttpRequest& request);
HttpReply LlamaEmbeddings(const Service& service, const HttpRequest& request);
HttpReply Tokenize(const Service& service, const HttpRequest& request);
HttpReply Detokenize(const Service& service, const HttpRequest& request);
HttpReply ApplyTemplate(const Service& service, const HttpRequest& request);
HttpReply TokenizerInfo(const Service& service, const HttpRequest& request);
HttpReply Props(const Service& service, const HttpRequest& request);
HttpReply Slots(const Service& service, const HttpRequest& request);
HttpReply Health(const Service& service, const HttpRequest& request);
HttpReply Metrics(const Service& service, const HttpRequest& request);

}  // namespace headway::server
