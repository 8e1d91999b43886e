#pragma once

// Errors as values. Every function that can fail because of the world (a file, a package, a
// request) returns Result<T>; broken invariants of our own abort instead (base/check.h). Nothing
// here throws.
//
//   Result<Manifest> ReadManifest(const std::string& path) {
//     HW_TRY(const std::string text, ReadFile(path));
//     if (text.empty()) return Fail(ErrorCode::kCorrupt, path + ": expected JSON, found nothing");
//     ...
//   }

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace headway {

enum class ErrorCode {
  kInvalidInput,  // the request or the file's content makes no sense: exit status 2
  kNotFound,      // a file, tensor or key is missing
  kUnsupported,   // valid, but not something this build or version can do
  kIo,            // the operating system refused: permissions, disk full, read error
  kCorrupt,       // content contradicts itself or its digest
  kGateFailed,    // a residency or golden gate said no: exit status 1
  kCancelled,     // the user interrupted
  kIncomplete,    // what came out is less than what was asked for: exit status 4
};

// What went wrong: what was expected, what was found, where. One line, no trailing full stop.
struct Error {
  ErrorCode code = ErrorCode::kInvalidInput;
  std::string message;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

template <>
class [[nodiscard]] Result<void> : public tl::expected<void, Error> {
 public:
  using tl::expected<void, Error>::expected;
};

inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

// Puts `context: ` before the message of an error on its way up.
inline tl::unexpected<Error> Prefixed(Error error, const std::string& context) {
  error.message = context + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace headway

// NOLINTBEGIN(bugprone-macro-parentheses): declarations cannot stand in parentheses
#define HW_CONCAT_INNER(a, b) a##b
#define HW_CONCAT(a, b) HW_CONCAT_INNER(a, b)
#define HW_TRY_INNER(temporary, declaration, expression)                               \
  auto temporary = (expression);                                                       \
  if (!temporary) return tl::unexpected<headway::Error>(std::move(temporary).error()); \
  declaration = *std::move(temporary)

// HW_TRY(const auto file, GgufFile::Open(path)); declares `file`, or returns the error to the
// caller.
#define HW_TRY(declaration, expression) \
  HW_TRY_INNER(HW_CONCAT(hw_try_, __LINE__), declaration, expression)

// HW_TRY_VOID(WriteAll(...)); for Result<void>.
#define HW_TRY_VOID(expression)                                                                  \
  do {                                                                                           \
    auto hw_try_result = (expression);                                                           \
    if (!hw_try_result) return tl::unexpected<headway::Error>(std::move(hw_try_result).error()); \
  } while (false)
// NOLINTEND(bugprone-macro-parentheses)
