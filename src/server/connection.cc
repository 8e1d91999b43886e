#include "server/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/platform.h"

namespace headway::server {
namespace {

constexpr size_t kBufferBytes = 16384;

#ifdef POLLRDHUP
constexpr short kGone = POLLRDHUP | POLLHUP | POLLERR;
#else
constexpr short kGone = POLLHUP | POLLERR;
#endif

int Milliseconds(std::chrono::steady_clock::duration time) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return static_cast<int>(std::clamp<int64_t>(ms, 0, 3'600'000));
}

}  // namespace

Connection::Connection(int socket, int stop_fd, int write_s)
    : socket_(socket), stop_fd_(stop_fd), write_s_(write_s), buffer_(kBufferBytes) {}

bool Connection::WaitForRequest(int idle_s) {
  if (begin_ < end_) return true;
  std::array<pollfd, 2> fds = {{{.fd = socket_, .events = POLLIN, .revents = 0},
                                {.fd = stop_fd_, .events = POLLIN, .revents = 0}}};
  const auto until = Clock::now() + std::chrono::seconds(idle_s);
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), Milliseconds(until - Clock::now()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || fds[1].revents != 0) return false;
    const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return false;
    begin_ = 0;
    end_ = static_cast<size_t>(count);
    return true;
  }
}

void Connection::BeginRequest(int request_s, uint64_t most_bytes) {
  deadline_ = Clock::now() + std::chrono::seconds(request_s);
  bytes_left_ = most_bytes;
}

bool Connection::IsReadable() const {
  if (begin_ < end_) return true;
  pollfd fd = {.fd = socket_, .events = POLLIN, .revents = 0};
  return ::poll(&fd, 1, 0) > 0;
}

ssize_t Connection::Read(char* to, size_t size) {
  while (begin_ == end_) {
    pollfd fd = {.fd = socket_, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&fd, 1, Milliseconds(deadline_ - Clock::now()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return -1;
    const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return count;
    begin_ = 0;
    end_ = static_cast<size_t>(count);
  }
  const size_t count = std::min(size, end_ - begin_);
  if (count > bytes_left_ || Clock::now() >= deadline_) return -1;
  std::memcpy(to, buffer_.data() + begin_, count);
  begin_ += count;
  bytes_left_ -= count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::Write(const char* from, size_t size) {
  const auto until = Clock::now() + std::chrono::seconds(write_s_);
  for (size_t written = 0; written < size;) {
    const int64_t count = platform::SendNow(socket_, from + written, size - written);
    if (count > 0) {
      written += static_cast<size_t>(count);
      continue;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) return -1;
    pollfd fd = {.fd = socket_, .events = POLLOUT, .revents = 0};
    const int ready = ::poll(&fd, 1, Milliseconds(until - Clock::now()));
    if (ready == 0 || (ready < 0 && errno != EINTR)) return -1;
  }
  return static_cast<ssize_t>(size);
}

void Connection::Linger() {
  ::shutdown(socket_, SHUT_WR);
  BeginRequest(1, uint64_t{1} << 30);
  std::vector<char> ignored(kBufferBytes);
  while (Read(ignored.data(), ignored.size()) > 0) {
  }
}

bool Connection::IsThere() const {
  pollfd fd = {.fd = socket_, .events = kGone, .revents = 0};
  return ::poll(&fd, 1, 0) == 0 || (fd.revents & kGone) == 0;
}

}  // namespace headway::server
