#pragma once

// What the system may refuse, memory and threads, as errors instead of exceptions.

#include <fmt/format.h>

#include <new>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "base/result.h"

namespace headway {

inline constexpr std::string_view kOutOfMemory =
    "headway: not enough memory for this model on this machine\n";

// For programs, not for the library: memory that runs out where no exception may pass (a JSON
// document asks for some in its destructor, protobuf in a stream's) is said on stderr from now on,
// and ends the process with status 2. What else ends it does so as before.
void ReportExhaustion();

// kIo, "WHO: not enough memory"; shorter where there is none left for that text.
Error OutOfMemory(std::string_view who) noexcept;

// What `work` gives, a Result. Errors besides: OutOfMemory().
template <class Work>
auto OrOutOfMemory(std::string_view who, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return tl::unexpected<Error>(OutOfMemory(who));
  }
}

// A thread that runs `work`, which must not throw. Errors: kIo, when the system does not start one.
template <class Work>
Result<std::thread> StartThread(std::string_view who, Work work) {
  try {
    return std::thread(std::move(work));
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: expected one more thread, the system started none ({}); raise its "
                            "limit (ulimit -u)",
                            who, error.code().message()));
  } catch (const std::bad_alloc&) {
    return tl::unexpected<Error>(OutOfMemory(who));
  }
}

}  // namespace headway
