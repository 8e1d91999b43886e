#include "server/api_error.h"

#include <fmt/format.h>

#include <string_view>

namespace headway::server {
namespace {

Json OrNull(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

std::string_view AnthropicType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

}  // namespace

ApiError BadField(std::string param, std::string message) {
  return {.message = std::move(message), .param = std::move(param)};
}

// The type is llama-server's, the code OpenAI's.
ApiError ContextExceeded(int64_t prompt_tokens, int64_t context_tokens) {
  return {
      .type = "exceed_context_size_error",
      .message = fmt::format("prompt: expected fewer than {0} tokens, found {1}: it is too large "
                             "and exceeds the available context size ({0} tokens)",
                             context_tokens, prompt_tokens),
      .param = "prompt",
      .code = "context_length_exceeded",
      .prompt_tokens = prompt_tokens,
      .context_tokens = context_tokens};
}

ApiError FromError(const Error& error, std::string param) {
  const bool is_theirs =
      error.code == ErrorCode::kInvalidInput || error.code == ErrorCode::kUnsupported;
  return {.status = is_theirs ? 400 : 500,
          .type = is_theirs ? "invalid_request_error" : "server_error",
          .message = error.message,
          .param = std::move(param)};
}

Json OpenAiError(const ApiError& error) {
  Json inner = {{"message", error.message},
                {"type", error.type},
                {"param", OrNull(error.param)},
                {"code", OrNull(error.code)}};
  if (error.context_tokens > 0) {
    inner["n_prompt_tokens"] = error.prompt_tokens;
    inner["n_ctx"] = error.context_tokens;
  }
  return {{"error", std::move(inner)}};
}

Json AnthropicError(const ApiError& error) {
  const std::string message =
      error.param.empty() ? error.message : error.param + ": " + error.message;
  return {{"type", "error"},
          {"error", {{"type", AnthropicType(error.status)}, {"message", message}}}};
}

}  // namespace headway::server
