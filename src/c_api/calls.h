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
#include "c_api/first_sizes.h"
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
// A struct as this version knows it: its bytes, and the fewest that a released header had.
struct KnownStruct {
  size_t first;
  size_t bytes;
  size_t alignment;
  const char* name;
};
template <class T>
KnownStruct Known(const char* name) {
  return {FirstSize<T>::kBytes, sizeof(T), alignof(T), name};
}
// That a caller's struct of `size` bytes is one of some header's. Errors: kInvalidInput.
Result<void> CheckSize(size_t size, const KnownStruct& known);
// That a struct of `size` bytes at `given` has nothing but zeros behind what this version knows.
// Errors: kInvalidInput, kUnsupported.
Result<void> CheckStruct(const void* given, size_t size, const KnownStruct& known);

// The members of *given, by its size: those of a later header must be 0, those that an older one
// lacks are. Null: all of them 0. Errors: as CheckStruct; kInvalidInput (reserved members).
template <class T>
Result<T> ReadStruct(const T* given, const char* what) {
  T members{};
  members.size = sizeof(T);
  if (given == nullptr) return members;
  size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  HW_TRY_VOID(CheckStruct(given, size, Known<T>(what)));
  std::memcpy(&members, given, std::min(size, sizeof(T)));
  members.size = sizeof(T);
  if constexpr (requires { members.reserved; }) {
    if (members.reserved != 0)
      return Fail(ErrorCode::kInvalidInput, std::string(what) + ": reserved: expected 0");
  }
  return members;
}

// Sets the members that *out has, by its size, but the size; those of a later header become 0.
// Errors: kInvalidInput.
template <class T>
Result<headway_status> WriteStruct(T members, T* out, const char* what) {
  HW_TRY_VOID(CheckGiven(out, what));
  size_t size = 0;
  std::memcpy(&size, out, sizeof(size));
  HW_TRY_VOID(CheckSize(size, Known<T>(what)));
  members.size = size;
  auto* const bytes = reinterpret_cast<unsigned char*>(out);
  std::memcpy(bytes, &members, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(bytes + sizeof(T), 0, size - sizeof(T));
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
