#include "base/exhaustion.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>

namespace headway {
namespace {

std::terminate_handler others = nullptr;

[[noreturn]] void OnTerminate() {
  try {
    if (const std::exception_ptr thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    [[maybe_unused]] const ssize_t written =
        ::write(STDERR_FILENO, kOutOfMemory.data(), kOutOfMemory.size());
    ::_exit(2);
  } catch (...) {  // for those who were there before
  }
  if (others != nullptr) others();
  std::abort();
}

}  // namespace

Error OutOfMemory(std::string_view who) noexcept {
  try {
    return {ErrorCode::kIo, fmt::format("{}: not enough memory", who)};
  } catch (const std::bad_alloc&) {
    return {ErrorCode::kIo, "out of memory"};  // a string holds 15 characters in itself
  }
}

void ReportExhaustion() { others = std::set_terminate(OnTerminate); }

}  // namespace headway
