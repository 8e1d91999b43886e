#pragma once

// Runs a program as a user's shell would and hands back everything it said. For tests of the
// command line tool.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace headway::cli_test {

#ifdef __SANITIZE_THREAD__
inline constexpr int64_t kTimeoutMs = 1200000;  // ten to fifty times as slow
#else
inline constexpr int64_t kTimeoutMs = 120000;
#endif

struct ProcessOptions {
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to the parent's
  std::string stdin_text = {};
  bool close_stdin = false;        // no stdin at all, instead of a pipe
  bool close_stdout = false;       // started with stdout closed
  std::string stdout_path = {};    // "/dev/full": stdout goes there and is not captured
  int64_t max_file_bytes = -1;     // a file that grows beyond this fails, as on a full disk
  int64_t max_memory_bytes = -1;   // of address space
  int64_t read_stdout_bytes = -1;  // the reader of stdout goes away after that many
  int64_t interrupt_at_byte = -1;  // Ctrl-C once stdout has that many bytes
  int64_t interrupt_after_ms = -1;
  int64_t timeout_ms = kTimeoutMs;
};

struct Outcome {
  int status = -1;  // the exit status; 128 + N when signal N ended it, as shells say
  std::string out;
  std::string err;
  bool timed_out = false;
};

Outcome RunProcess(const std::vector<std::string>& argv, const ProcessOptions& options = {});

}  // namespace headway::cli_test
