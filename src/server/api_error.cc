#include "server/api_error.h"

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

ApiError FromError(const Error& error, std::string param) {
  const bool is_theirs =
      error.code == ErrorCode::kInvalidInput || error.code == ErrorCode::kUnsupported;
  return {.status = is_theirs ? 400 : 500,
          .type = is_theirs ? "invalid_request_error" : "server_error",
          .message = error.message,
          .param = std::move(param)};
}

Json OpenAiError(const ApiError& error) {
  return {{"error",
           {{"message", error.message},
            {"type", error.type},
            {"param", OrNull(error.param)},
            {"code", OrNull(error.code)}}}};
}

Json AnthropicError(const ApiError& error) {
  const std::string message =
      error.param.empty() ? error.message : error.param + ": " + error.message;
  return {{"type", "error"},
          {"error", {{"type", AnthropicType(error.status)}, {"message", message}}}};
}

}  // namespace headway::server
