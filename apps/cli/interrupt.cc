#include "interrupt.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

namespace headway::cli {
namespace {

// The one global: a signal handler can reach nothing else.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "what a signal handler may touch");

// Written before the handler is installed.
std::array<char, 256> termination_text{};
size_t termination_length = 0;

void OnReportedTermination(int /*signal*/) {
  static_cast<void>(!::write(2, termination_text.data(), termination_length));
  ::_exit(2);
}

void OnInterrupt(int signal) {
  interrupted.store(true, std::memory_order_relaxed);
  std::signal(signal, SIG_DFL);
}

}  // namespace

std::atomic<bool>* CatchInterrupts() {
  // A process started with SIGINT ignored (nohup, a shell's background job) keeps ignoring it.
  if (std::signal(SIGINT, OnInterrupt) == SIG_IGN) std::signal(SIGINT, SIG_IGN);
  return &interrupted;
}

void CatchTermination() { std::signal(SIGTERM, OnInterrupt); }

void ReportTermination(const std::string& text) {
  termination_length = std::min(text.size(), termination_text.size());
  std::copy_n(text.begin(), termination_length, termination_text.begin());
  std::signal(SIGTERM, OnReportedTermination);
}

}  // namespace headway::cli
