#include "output.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/quoted.h"

namespace headway::cli {

namespace {

bool stdout_was_closed = false;

}  // namespace

Result<void> CheckStdout() {
  if (!stdout_was_closed) return {};
  return Fail(ErrorCode::kIo, "stdout: expected an open stream to write to, found it closed");
}

Result<void> WriteOut(std::string_view text) { return WriteJson(Printable(text)); }
Result<void> WriteModelText(std::string_view text) { return WriteJson(text); }

Result<void> WriteJson(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return {};
  return Fail(ErrorCode::kIo, fmt::format("stdout: cannot write: {}", std::strerror(errno)));
}

void ReserveStandardStreams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    stdout_was_closed |= fd == 1;
    static_cast<void>(::open("/dev/null", O_RDWR));  // gets the lowest free number, which is fd
  }
}

}  // namespace headway::cli
