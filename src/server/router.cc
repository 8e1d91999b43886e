#include "server/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "server/endpoints.h"
#include "server/page/page.h"
#include "server/wire.h"

namespace headway::server {
namespace {

struct Endpoint {
  std::string_view method;
  std::string_view path;
  HttpReply (*answer)(const Service& service, const HttpRequest& request);
  bool is_public = false;  // without a key
};

constexpr Endpoint kEndpoints[] = {
    {"GET", "/health", Health, true},
    {"GET", "/v1/health", Health, true},
    {"GET", "/v1/models", ListModels, true},
    {"GET", "/models", ListModels, true},
    {"POST", "/v1/chat/completions", ChatCompletions},
    {"POST", "/chat/completions", ChatCompletions},
    {"POST", "/v1/completions", Completions},
    {"POST", "/v1/responses", Responses},
    {"POST", "/v1/embeddings", Embeddings},
    {"POST", "/embeddings", Embeddings},
    {"POST", "/v1/messages", Messages},
    {"POST", "/v1/messages/count_tokens", CountTokens},
    {"POST", "/completion", Completion},
    {"POST", "/completions", Completion},
    {"POST", "/tokenize", Tokenize},
    {"POST", "/detokenize", Detokenize},
    {"POST", "/apply-template", ApplyTemplate},
    {"GET", "/props", Props},
    {"GET", "/slots", Slots},
    {"GET", "/metrics", Metrics},
};

bool IsAnthropic(std::string_view path) { return path.starts_with("/v1/messages"); }

HttpReply Refusal(const HttpRequest& request, const ApiError& error) {
  return IsAnthropic(request.path) ? AnthropicErrorReply(error) : ErrorReply(error);
}

// The page runs its own files and talks to this server alone, and nobody may frame it.
HttpReply PageReply(const PageFile& file) {
  return {.content_type = std::string(file.content_type),
          .body = std::string(file.bytes),
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                       "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                       "frame-ancestors 'none'"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cache-Control", "no-cache"}}};
}

}  // namespace

std::optional<HttpReply> Router::Screen(const HttpRequest& request) const {
  const bool needs_key =
      std::any_of(std::begin(kEndpoints), std::end(kEndpoints), [&](const Endpoint& endpoint) {
        return endpoint.path == request.path && endpoint.method == request.method &&
               !endpoint.is_public;
      });
  if (!needs_key || keys_.Allow(request)) return std::nullopt;
  return Refusal(request,
                 {.status = 401,
                  .type = "authentication_error",
                  .message = "expected an API key of this server, found none or another one",
                  .code = "invalid_api_key"});
}

HttpReply Router::Dispatch(const HttpRequest& request) const {
  if (const PageFile* const file = FindPageFile(request.path);
      file != nullptr && request.method == "GET") {
    return PageReply(*file);
  }
  bool path_exists = false;
  for (const Endpoint& endpoint : kEndpoints) {
    if (endpoint.path != request.path) continue;
    path_exists = true;
    if (endpoint.method != request.method) continue;
    return endpoint.answer(*service_, request);
  }
  return Refusal(request, {.status = path_exists ? 405 : 404,
                           .type = "not_found_error",
                           .message = fmt::format("{} {}: no such endpoint (docs/serving.md lists "
                                                  "them)",
                                                  request.method, request.path),
                           .code = "not_found"});
}

HttpReply Router::Answer(const HttpRequest& request) const {
  HttpReply reply;
  if (request.method == "OPTIONS" && !cors_origin_.empty()) {
    reply = {.status = 204,
             .headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                         {"Access-Control-Allow-Headers",
                          "Authorization, Content-Type, X-Api-Key, anthropic-version"}}};
  } else {
    std::optional<HttpReply> refusal = Screen(request);
    reply = refusal ? *std::move(refusal) : Dispatch(request);
  }
  if (!cors_origin_.empty())
    reply.headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
  return reply;
}

}  // namespace headway::server
