#include "c_api/calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "headway/version.h"

namespace headway::c_api {
namespace {

// No struct comes near it: a size above is memory that nobody set.
constexpr size_t kLargestStruct = 4096;
constexpr const char* kNoTextLeft = "an error whose text no memory was left for";

// A pointer and not a string: reading it must not allocate.
thread_local std::string error_text;
thread_local const char* error_text_or_null = nullptr;

}  // namespace

headway_status StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput:
      return HEADWAY_INVALID_INPUT;
    case ErrorCode::kNotFound:
      return HEADWAY_NOT_FOUND;
    case ErrorCode::kUnsupported:
      return HEADWAY_UNSUPPORTED;
    case ErrorCode::kIo:
      return HEADWAY_IO;
    case ErrorCode::kCorrupt:
      return HEADWAY_CORRUPT;
    case ErrorCode::kGateFailed:
      return HEADWAY_GATE_FAILED;
    case ErrorCode::kCancelled:
      return HEADWAY_CANCELLED;
    case ErrorCode::kIncomplete:  // the tool's alone: here a generation says how it ended
      break;
  }
  return HEADWAY_INTERNAL;
}

headway_status Remember(headway_status status, std::string_view text) noexcept {
  try {
    error_text.assign(text);
    error_text_or_null = error_text.c_str();
  } catch (const std::bad_alloc&) {
    error_text_or_null = kNoTextLeft;
  }
  return status;
}

Result<void> CheckGiven(const void* pointer, const char* what) {
  if (pointer != nullptr) return {};
  return Fail(ErrorCode::kInvalidInput, fmt::format("{}: expected one, found null", what));
}

Result<void> CheckStruct(const void* given, size_t size, size_t first, size_t known,
                         const char* what) {
  if (size < first || size % alignof(size_t) != 0 || size > kLargestStruct) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("{}: size: expected {} (sizeof), found {}", what, known, size));
  }
  if (given == nullptr || size <= known) return {};
  const auto* const bytes = static_cast<const unsigned char*>(given);
  if (std::all_of(bytes + known, bytes + size, [](unsigned char byte) { return byte == 0; }))
    return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}: expected zeros behind the {} bytes that version {} knows, found "
                          "something set",
                          what, known, kVersion));
}

Result<std::span<const int32_t>> ReadIds(const int32_t* ids, size_t count, const char* what) {
  if (count > 0) HW_TRY_VOID(CheckGiven(ids, what));
  return std::span<const int32_t>(ids, count);
}

Result<std::string_view> ReadText(const char* text, size_t num_bytes, const char* what) {
  if (num_bytes > 0) HW_TRY_VOID(CheckGiven(text, what));
  return std::string_view(text == nullptr ? "" : text, num_bytes);
}

Result<headway_status> CheckRoom(const void* out, size_t capacity, size_t found, size_t* count) {
  HW_TRY_VOID(CheckGiven(count, "count"));
  if (capacity > 0) HW_TRY_VOID(CheckGiven(out, "memory of the list"));
  *count = found;
  if (capacity == 0 || found <= capacity) return HEADWAY_OK;
  return Remember(HEADWAY_TOO_SMALL,
                  fmt::format("list: expected room for {} elements, found {}", found, capacity));
}

}  // namespace headway::c_api

uint32_t headway_abi(void) { return HEADWAY_ABI; }

const char* headway_version(void) { return headway::kVersion; }

const char* headway_error_text(void) {
  const char* const text = headway::c_api::error_text_or_null;
  return text == nullptr ? "" : text;
}

const char* headway_status_name(headway_status status) {
  switch (status) {
    case HEADWAY_OK:
      return "ok";
    case HEADWAY_INVALID_INPUT:
      return "invalid input";
    case HEADWAY_NOT_FOUND:
      return "not found";
    case HEADWAY_UNSUPPORTED:
      return "unsupported";
    case HEADWAY_IO:
      return "input or output failed";
    case HEADWAY_CORRUPT:
      return "corrupt";
    case HEADWAY_GATE_FAILED:
      return "a gate failed";
    case HEADWAY_CANCELLED:
      return "cancelled";
    case HEADWAY_OUT_OF_MEMORY:
      return "out of memory";
    case HEADWAY_TOO_SMALL:
      return "too small";
    case HEADWAY_INTERNAL:
      return "internal error";
    default:
      return "no status";
  }
}
