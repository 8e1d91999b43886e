#include "base/bus_error.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/quoted.h"

namespace headway {
namespace {

struct Region {
  uintptr_t begin;
  size_t size_bytes;
  std::string path;  // printable
};

// A signal handler can reach nothing but globals.
std::array<std::atomic<const Region*>, 4096> regions{};
static_assert(std::atomic<const Region*>::is_always_lock_free, "what a signal handler may touch");

void Say(const char* text, size_t length) {
  while (length > 0) {
    const ssize_t written = ::write(STDERR_FILENO, text, length);
    if (written <= 0) return;
    text += written;
    length -= static_cast<size_t>(written);
  }
}
void Say(const char* text) { Say(text, std::strlen(text)); }

void SayNumber(size_t number) {
  std::array<char, 20> digits{};
  size_t at = digits.size();
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  Say(digits.data() + at, digits.size() - at);
}

// Only what may be called in a signal handler.
void OnBusError(int signal, siginfo_t* info, void* /*context*/) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const auto& slot : regions) {
    const Region* const region = slot.load(std::memory_order_acquire);
    if (region == nullptr || address < region->begin ||
        address - region->begin >= region->size_bytes) {
      continue;
    }
    Say("headway: ");
    Say(region->path.data(), region->path.size());
    Say(": cannot read from byte ");
    SayNumber(address - region->begin);
    Say(" on: the file was cut short while it was in use, or its disk failed\n");
    ::_exit(2);
  }
  ::signal(signal, SIG_DFL);  // the read is tried again, and ends the process
}

}  // namespace

void ReportBusErrors() {
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

WatchedMapping::WatchedMapping(const void* begin, size_t size_bytes, const std::string& path) {
  auto* const region = new Region{.begin = reinterpret_cast<uintptr_t>(begin),
                                  .size_bytes = size_bytes,
                                  .path = Printable(path)};
  for (size_t i = 0; i < regions.size(); ++i) {
    const Region* empty = nullptr;
    if (!regions[i].compare_exchange_strong(empty, region, std::memory_order_acq_rel)) continue;
    slot_ = static_cast<int>(i);
    return;
  }
  delete region;
}

WatchedMapping::WatchedMapping(WatchedMapping&& other) noexcept
    : slot_(std::exchange(other.slot_, -1)) {}

WatchedMapping& WatchedMapping::operator=(WatchedMapping&& other) noexcept {
  std::swap(slot_, other.slot_);
  return *this;
}

WatchedMapping::~WatchedMapping() {
  if (slot_ >= 0) delete regions[static_cast<size_t>(slot_)].exchange(nullptr);
}

}  // namespace headway
