#if defined(__APPLE__)

#include <mach/mach.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "base/platform.h"
#include "base/read_real.h"

namespace headway::platform {

// macOS does not tell: threads then spin before they sleep.
int CurrentProcessor() { return -1; }

int NumProcessors() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

// Apple's processors have pages of 16 KiB, and no larger ones to ask for.
void AdviseHugePages(void* /*address*/, size_t /*size_bytes*/) {}

void ReleaseMemory(void* address, size_t size_bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(address) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(address) + size_bytes) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_FREE);
}

bool RenameToNew(const char* from, const char* to) {
  return ::renamex_np(from, to, RENAME_EXCL) == 0;
}

bool ExchangeNames(const char* a, const char* b) { return ::renamex_np(a, b, RENAME_SWAP) == 0; }

bool IsAlive(int64_t process_id) {
  return ::kill(static_cast<pid_t>(process_id), 0) == 0 || errno != ESRCH;
}

bool FillRandom(std::span<std::byte> bytes) {
  return ::getentropy(bytes.data(), bytes.size()) == 0;
}

uint64_t AvailableMemoryBytes() {
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  if (::host_statistics64(::mach_host_self(), HOST_VM_INFO64,
                          reinterpret_cast<host_info64_t>(&pages), &count) != KERN_SUCCESS)
    return 0;
  return (uint64_t{pages.free_count} + pages.inactive_count + pages.purgeable_count) *
         vm_kernel_page_size;
}

uint64_t TotalMemoryBytes() {
  uint64_t bytes = 0;
  size_t size = sizeof bytes;
  return ::sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0 ? bytes : 0;
}

std::from_chars_result ReadReal(const char* first, const char* last, float& value) {
  return ReadRealByStrtod(first, last, value);
}
std::from_chars_result ReadReal(const char* first, const char* last, double& value) {
  return ReadRealByStrtod(first, last, value);
}

// The socket says for all its sends what others say for each.
int64_t SendNow(int socket, const char* from, size_t size_bytes) {
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
  return ::send(socket, from, size_bytes, MSG_DONTWAIT);
}

std::string ProcessorName() {
  char name[256] = {};
  size_t size = sizeof name - 1;
  const bool known = ::sysctlbyname("machdep.cpu.brand_string", name, &size, nullptr, 0) == 0;
  return known ? name : "unknown processor";
}

ArmFeatures ArmFeaturesOfProcessor() {
  const auto has =
      [](const char* name) {  // unknown names are of other processors, or of later ones
        int32_t value = 0;
        size_t size = sizeof value;
        return ::sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
      };
  return {.dot_products = has("hw.optional.arm.FEAT_DotProd"),
          .matrix_products = has("hw.optional.arm.FEAT_I8MM")};
}

}  // namespace headway::platform

#endif  // defined(__APPLE__)
