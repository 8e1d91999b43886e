#pragma once

// A client's connection: reads and writes with deadlines, and knows when the client has gone. The
// socket stays its owner's.

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace headway::server {

class Connection {
 public:
  // `stop_fd` becomes readable when the server stops.
  Connection(int socket, int stop_fd, int write_s);

  // Until the first byte of another request is there; false: none came in that time, the client has
  // gone, or the server stops.
  bool WaitForRequest(int idle_s);
  // From now on a request may take so long, and so many bytes.
  void BeginRequest(int request_s, uint64_t most_bytes);

  // Whether something has come, without waiting.
  bool IsReadable() const;
  // At least one byte, 0 at the end, -1 when the request is too slow, too long, or broken.
  ssize_t Read(char* to, size_t size);
  // All of it, or -1.
  ssize_t Write(const char* from, size_t size);
  // Whether the client can still read what we write.
  bool IsThere() const;
  // Says that nothing more comes, and reads on for a while what the client still sends: closing with
  // bytes unread would take back what it has not read yet.
  void Linger();
  int Socket() const { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;

  const int socket_;
  const int stop_fd_;
  const int write_s_;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of what is read and not taken yet
  size_t end_ = 0;
  Clock::time_point deadline_{};
  uint64_t bytes_left_ = 0;
};

}  // namespace headway::server
