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
    {"POST", "/v1/chat/completions/input_tokens", ChatInputTokens},
    {"POST", "/chat/completions/input_tokens", ChatInputTokens},
    {"POST", "/v1/completions", Completions},
    {"POST", "/v1/responses", Responses},
    {"POST", "/responses", Responses},
    {"POST", "/v1/responses/input_tokens", ResponseInputTokens},
    {"POST", "/responses/input_tokens", ResponseInputTokens},
    {"POST", "/v1/embeddings", Embeddings},
    {"POST", "/embeddings", LlamaEmbeddings},
    {"POST", "/embedding", LlamaEmbeddings},
    {"POST", "/v1/messages", Messages},
    {"POST", "/v1/messages/count_tokens", CountTokens},
    {"POST", "/completion", Completion},
    {"POST", "/completions", Completion},
    {"POST", "/tokenize", Tokenize},
    {"POST", "/detokenize", Detokenize},
    {"POST", "/apply-template", ApplyTemplate},
    {"GET", "/tokenizer_info", TokenizerInfo},
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

// "http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"
bool IsLocal(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!origin.starts_with(scheme)) continue;
    const std::string_view rest = origin.substr(scheme.size());
    for (const std::string_view host : {"localhost", "127.0.0.1", "[::1]"}) {
      if (!rest.starts_with(host)) continue;
      const std::string_view port = rest.substr(host.size());
      if (port.empty()) return true;
      return port.size() > 1 && port.front() == ':' &&
             port.find_first_not_of("0123456789", 1) == std::string_view::npos;
    }
  }
  return false;
}

// What a browser that shows a page of `origin` is told; empty: nothing. `allowed`: "*", or origins
// with commas, among which "localhost" stands for every port of this machine.
std::string AllowedOrigin(std::string_view allowed, const std::string& origin) {
  // One origin is said whoever asks: browsers compare.
  if (allowed != "localhost" && allowed.find(',') == std::string_view::npos)
    return std::string(allowed);
  while (!allowed.empty() && !origin.empty()) {
    const size_t end = std::min(allowed.find(','), allowed.size());
    std::string_view one = allowed.substr(0, end);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one == origin || (one == "localhost" && IsLocal(origin))) return origin;
    allowed.remove_prefix(std::min(end + 1, allowed.size()));
  }
  return {};
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
    // The star stands for any name but Authorization.
    reply = {.headers = {{"Access-Control-Allow-Methods", "GET, POST, OPTIONS"},
                         {"Access-Control-Allow-Headers", "Authorization, *"}}};
  } else {
    std::optional<HttpReply> refusal = Screen(request);
    reply = refusal ? *std::move(refusal) : Dispatch(request);
  }
  if (cors_origin_.empty()) return reply;
  const std::string origin = AllowedOrigin(cors_origin_, request.header("Origin"));
  if (!origin.empty()) reply.headers.emplace_back("Access-Control-Allow-Origin", origin);
  if (cors_origin_ != "*") reply.headers.emplace_back("Vary", "Origin");
  return reply;
}

}  // namespace headway::server
