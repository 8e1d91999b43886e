#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>

namespace headway::cli_test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    read_end = ends[0];
    write_end = ends[1];
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    CloseRead();
    CloseWrite();
  }
  void CloseRead() { Close(&read_end); }
  void CloseWrite() { Close(&write_end); }

 private:
  static void Close(int* fd) {
    if (*fd >= 0) ::close(*fd);
    *fd = -1;
  }
};

// In the child, between fork and exec.
[[noreturn]] void Become(const std::vector<std::string>& argv, const ProcessOptions& options,
                         const Pipe& in, const Pipe& out, const Pipe& err) {
  for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
  ::dup2(in.read_end, 0);
  ::dup2(out.write_end, 1);
  ::dup2(err.write_end, 2);
  if (options.close_stdin) ::close(0);
  if (options.close_stdout) ::close(1);
  if (!options.stdout_path.empty()) {
    const int fd = ::open(options.stdout_path.c_str(), O_WRONLY | O_CLOEXEC);
    ::dup2(fd, 1);
  }
  if (options.max_file_bytes >= 0) {
    const auto limit = static_cast<rlim_t>(options.max_file_bytes);
    const rlimit file_size{.rlim_cur = limit, .rlim_max = limit};
    ::setrlimit(RLIMIT_FSIZE, &file_size);
  }
  if (options.max_memory_bytes >= 0) {
    const auto limit = static_cast<rlim_t>(options.max_memory_bytes);
    const rlimit memory{.rlim_cur = limit, .rlim_max = limit};
    ::setrlimit(RLIMIT_AS, &memory);
  }
  if (options.max_descriptors >= 0) {
    const auto limit = static_cast<rlim_t>(options.max_descriptors);
    const rlimit descriptors{.rlim_cur = limit, .rlim_max = limit};
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGPIPE, SIG_DFL);
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

// Appends what is there; false at the end of the stream.
bool Drain(int fd, std::string* text) {
  std::array<char, 4096> piece{};
  const ssize_t count = ::read(fd, piece.data(), piece.size());
  if (count > 0) text->append(piece.data(), static_cast<size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

// Reads both streams until they end, and plays the user's part meanwhile.
void Converse(pid_t child, const ProcessOptions& options, Pipe* out, Pipe* err, Outcome* outcome) {
  const auto start = Clock::now();
  bool interrupted = options.interrupt_at_byte < 0 && options.interrupt_after_ms < 0;
  while (out->read_end >= 0 || err->read_end >= 0) {
    std::array<pollfd, 2> fds = {{{.fd = out->read_end, .events = POLLIN, .revents = 0},
                                  {.fd = err->read_end, .events = POLLIN, .revents = 0}}};
    ::poll(fds.data(), fds.size(), 20);
    if (fds[0].revents != 0 && !Drain(out->read_end, &outcome->out)) out->CloseRead();
    if (fds[1].revents != 0 && !Drain(err->read_end, &outcome->err)) err->CloseRead();
    const auto bytes = static_cast<int64_t>(outcome->out.size());
    const auto elapsed_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
    if (options.read_stdout_bytes >= 0 && bytes >= options.read_stdout_bytes) out->CloseRead();
    const bool enough = options.interrupt_at_byte >= 0 ? bytes >= options.interrupt_at_byte
                                                       : elapsed_ms >= options.interrupt_after_ms;
    if (!interrupted && enough) {
      ::kill(child, SIGINT);
      interrupted = true;
    }
    if (elapsed_ms > options.timeout_ms) {
      ::kill(child, SIGKILL);
      outcome->timed_out = true;
      return;
    }
  }
}

}  // namespace

Outcome RunProcess(const std::vector<std::string>& argv, const ProcessOptions& options) {
  Pipe in;
  Pipe out;
  Pipe err;
  const pid_t child = ::fork();
  if (child < 0) std::abort();
  if (child == 0) Become(argv, options, in, out, err);
  in.CloseRead();
  out.CloseWrite();
  err.CloseWrite();
  std::signal(SIGPIPE, SIG_IGN);  // a child that ends without reading its stdin
  static_cast<void>(!::write(in.write_end, options.stdin_text.data(), options.stdin_text.size()));
  in.CloseWrite();
  Outcome outcome;
  Converse(child, options, &out, &err, &outcome);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace headway::cli_test
