#if defined(__linux__)

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string_view>
#include <thread>

#include "base/platform.h"

namespace headway::platform {
namespace {

uint64_t MemInfoBytes(std::string_view wanted) {
  std::ifstream file("/proc/meminfo");
  std::string key;
  uint64_t kilobytes = 0;
  std::string unit;
  while (file >> key >> kilobytes >> unit) {
    if (key == wanted) return kilobytes * 1024;
  }
  return 0;
}

}  // namespace

int CurrentProcessor() { return ::sched_getcpu(); }

int NumProcessors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    return std::max(1, CPU_COUNT(&allowed));
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

void AdviseHugePages(void* address, size_t size_bytes) {
  ::madvise(address, size_bytes, MADV_HUGEPAGE);
}

void ReleaseMemory(void* address, size_t size_bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(address) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(address) + size_bytes) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

bool RenameToNew(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  struct stat found {};
  if (::lstat(to, &found) == 0) {
    errno = EEXIST;
    return false;
  }
  return ::rename(from, to) == 0;
}

bool ExchangeNames(const char* a, const char* b) {
  return ::renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
}

bool IsAlive(int64_t process_id) {
  return ::kill(static_cast<pid_t>(process_id), 0) == 0 || errno != ESRCH;
}

bool FillRandom(std::span<std::byte> bytes) {
  return ::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

uint64_t AvailableMemoryBytes() { return MemInfoBytes("MemAvailable:"); }
uint64_t TotalMemoryBytes() { return MemInfoBytes("MemTotal:"); }

std::from_chars_result ReadReal(const char* first, const char* last, float& value) {
  return std::from_chars(first, last, value);
}
std::from_chars_result ReadReal(const char* first, const char* last, double& value) {
  return std::from_chars(first, last, value);
}

int64_t SendNow(int socket, const char* from, size_t size_bytes) {
  return ::send(socket, from, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::string ProcessorName() {
  std::ifstream cpu("/proc/cpuinfo");
  for (std::string line; std::getline(cpu, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return "unknown processor";
}

ArmFeatures ArmFeaturesOfProcessor() {
#if defined(__aarch64__)
  // Bits of the kernel's interface (Documentation/arm64/elf_hwcaps.rst), which older headers lack.
  constexpr unsigned long kDotProducts = 1UL << 20;     // HWCAP_ASIMDDP
  constexpr unsigned long kMatrixProducts = 1UL << 13;  // HWCAP2_I8MM
  return {.dot_products = (::getauxval(AT_HWCAP) & kDotProducts) != 0,
          .matrix_products = (::getauxval(AT_HWCAP2) & kMatrixProducts) != 0};
#else
  return {};
#endif
}

}  // namespace headway::platform

#endif  // defined(__linux__)
