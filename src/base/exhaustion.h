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

// What `work` gives, a Result. Errors besides: kIo, "WHO: not enough memory".
template <class Work>
auto OrOutOfMemory(std::string_view who, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kIo, fmt::format("{}: not enough memory", who));
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
    return Fail(ErrorCode::kIo, fmt::format("{}: not enough memory", who));
  }
}

}  // namespace headway
