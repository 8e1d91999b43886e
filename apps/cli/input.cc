#include "input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file_writer.h"

namespace headway::cli {
namespace {

bool stdin_was_read = false;

Result<std::string> ReadToTheEnd(int fd, const std::string& name, uint64_t most_bytes) {
  std::string text;
  std::array<char, 65536> piece{};
  while (true) {
    const ssize_t count = ::read(fd, piece.data(), piece.size());
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return Fail(ErrorCode::kIo, fmt::format("{}: cannot read: {}", name, std::strerror(errno)));
    text.append(piece.data(), static_cast<size_t>(count));
    if (text.size() > most_bytes) {
      return Fail(ErrorCode::kInvalidInput,
                  fmt::format("{}: expected at most {} bytes, found more", name, most_bytes));
    }
  }
}

// Whether it ends by being read: its size says nothing.
bool IsStream(const std::string& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode));
}

}  // namespace

Result<std::string> ReadInput(const std::string& file, uint64_t most_bytes) {
  if (file == "-") {
    if (stdin_was_read)
      return Fail(ErrorCode::kInvalidInput, "stdin: expected one argument '-', found several");
    stdin_was_read = true;
    return ReadToTheEnd(0, "stdin", most_bytes);
  }
  if (!IsStream(file)) return ReadTextFile(file, most_bytes);
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot open: {}", file, std::strerror(errno)));
  auto text = ReadToTheEnd(fd, file, most_bytes);
  ::close(fd);
  return text;
}

}  // namespace headway::cli
