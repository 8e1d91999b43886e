#pragma once

// What every function of the C API does with its arguments and its outcome: structs that begin with
// their size, lists in the caller's memory, errors as a status and a text. Inside this folder only.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "headway/headway.h"

namespace headway::c_api {

headway_status StatusOf(ErrorCode code);
// Becomes this thread's headway_error_text(); returns `status`.
headway_status Remember(headway_status status, std::string_view text) noexcept;

// Runs a call; no exception leaves it.
template <class Work>
headway_status Call(const Work& work) noexcept {
  try {
    const Result<headway_status> done = work();
    return done ? *done : Remember(StatusOf(done.error().code), done.error().message);
  } catch (const std::bad_alloc&) {
    return Remember(HEADWAY_OUT_OF_MEMORY, "not enough memory");
  } catch (const std::exception& error) {
    return Remember(HEADWAY_INTERNAL, error.what());
  } catch (...) {
    return Remember(HEADWAY_INTERNAL, "an unknown exception");
  }
}

// Errors: kInvalidInput, naming what is null.
Result<void> CheckGiven(const void* pointer, const char* what);
// The bytes that a struct of the caller's has at least: those of the version in which it appeared.
template <class T>
inline constexpr size_t kFirstSize = sizeof(T);
template <>
inline constexpr size_t kFirstSize<headway_sequence_options> = offsetof(headway_sequence_options,
                                                                        json_whitespace);

// That a struct of `size` bytes at `given` has the `first` ones, and nothing but zeros behind the
// `known` ones. Errors: kInvalidInput, kUnsupported.
Result<void> CheckStruct(const void* given, size_t size, size_t first, size_t known,
                         const char* what);

// The members of *given that this version knows; null: all of them 0. Errors: as CheckStruct.
template <class T>
Result<T> ReadStruct(const T* given, const char* what) {
  T members{};
  members.size = sizeof(T);
  if (given == nullptr) return members;
  size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  HW_TRY_VOID(CheckStruct(given, size, kFirstSize<T>, sizeof(T), what));
  std::memcpy(static_cast<void*>(&members), given, std::min(size, sizeof(T)));
  members.size = sizeof(T);
  if constexpr (requires { members.reserved; }) {
    if (members.reserved != 0)
      return Fail(ErrorCode::kInvalidInput, std::string(what) + ": reserved: expected 0");
  }
  return members;
}

// Sets the members of *out but its size. Errors: kInvalidInput.
template <class T>
Result<headway_status> WriteStruct(T members, T* out, const char* what) {
  HW_TRY_VOID(CheckGiven(out, what));
  std::memcpy(&members.size, out, sizeof(members.size));
  HW_TRY_VOID(CheckStruct(nullptr, members.size, sizeof(T), sizeof(T), what));
  std::memcpy(out, &members, sizeof(T));
  return HEADWAY_OK;
}

// Null is empty. Errors: kInvalidInput (null and a count).
Result<std::span<const int32_t>> ReadIds(const int32_t* ids, size_t count, const char* what);
Result<std::string_view> ReadText(const char* text, size_t num_bytes, const char* what);
inline std::string TextOrEmpty(const char* text) { return text == nullptr ? "" : text; }

// Writes a list as the header says. Errors: kInvalidInput.
Result<headway_status> CheckRoom(const void* out, size_t capacity, size_t found, size_t* count);
template <class T>
Result<headway_status> WriteList(std::span<const T> list, T* out, size_t capacity, size_t* count) {
  HW_TRY(const headway_status room, CheckRoom(out, capacity, list.size(), count));
  if (room == HEADWAY_OK && capacity > 0 && !list.empty())
    std::memcpy(out, list.data(), list.size_bytes());
  return room;
}

}  // namespace headway::c_api
