#pragma once

// What a client did wrong, or we could not do, in the forms that OpenAI's and Anthropic's clients
// read.

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "base/result.h"
#include "server/json.h"

namespace headway::server {

struct ApiError {
  int status = 400;
  std::string type = "invalid_request_error";
  std::string message;
  std::string param = {};  // the field that is wrong; empty: none in particular
  std::string code = {};   // "context_length_exceeded"; empty: none
  int retry_after_s = 0;   // 0: not said
  // Of a prompt that the context has no room for, as llama-server tells them; 0: not said.
  int64_t prompt_tokens = 0;
  int64_t context_tokens = 0;
};

template <class T>
using Parsed = tl::expected<T, ApiError>;

inline tl::unexpected<ApiError> Refuse(ApiError error) {
  return tl::unexpected<ApiError>(std::move(error));
}

// 400, naming the field.
ApiError BadField(std::string param, std::string message);
// 400: a prompt of so many tokens where the context has so many.
ApiError ContextExceeded(int64_t prompt_tokens, int64_t context_tokens);
// What the rest of Headway reports: 400 when the request is at fault, else 500.
ApiError FromError(const Error& error, std::string param = {});

Json OpenAiError(const ApiError& error);
Json AnthropicError(const ApiError& error);

}  // namespace headway::server

// NOLINTBEGIN(bugprone-macro-parentheses): as HW_TRY, for Parsed<T>
#define HW_API_TRY(declaration, expression) \
  HW_API_TRY_INNER(HW_CONCAT(hw_try_, __LINE__), declaration, expression)
#define HW_API_TRY_INNER(temporary, declaration, expression)                    \
  auto temporary = (expression);                                                \
  if (!temporary) return headway::server::Refuse(std::move(temporary).error()); \
  declaration = *std::move(temporary)
#define HW_API_TRY_VOID(expression)                                                       \
  do {                                                                                    \
    auto hw_api_result = (expression);                                                    \
    if (!hw_api_result) return headway::server::Refuse(std::move(hw_api_result).error()); \
  } while (false)
// NOLINTEND(bugprone-macro-parentheses)
