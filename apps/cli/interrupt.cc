#include "interrupt.h"

#include <csignal>

namespace headway::cli {
namespace {

// The one global: a signal handler can reach nothing else.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "what a signal handler may touch");

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

}  // namespace headway::cli
