#include "engine/token_limits.h"

#include <fmt/format.h>

namespace headway {

Result<void> TokenLimits::CheckIds(std::span<const int32_t> ids) const {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab_size) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("token {}: expected an id from 0 to {}, found {}", i, vocab_size - 1,
                              ids[i]));
    }
  }
  return {};
}

Result<void> TokenLimits::CheckAppend(int64_t length, std::span<const int32_t> ids) const {
  HW_TRY_VOID(CheckIds(ids));
  const int64_t together = length + static_cast<int64_t>(ids.size());
  if (together <= capacity) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("sequence: expected at most {} tokens (model context {}), found {}",
                          capacity, context, together));
}

Result<void> TokenLimits::CheckDecode(int64_t length) const {
  if (length == 0)
    return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
  if (length < capacity) return {};
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("sequence: expected at most {} tokens, found {} and one more", capacity, length));
}

}  // namespace headway
