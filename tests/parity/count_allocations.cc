#include "count_allocations.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HW_OWN_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HW_OWN_ALLOCATOR 1
#endif
#endif

namespace headway::parity {
namespace {

std::atomic<int64_t> num_allocations{0};
// Of num_allocations: the first that is refused, and how many are.
std::atomic<int64_t> first_refused{0};
std::atomic<int64_t> num_refused{0};

#ifndef HW_OWN_ALLOCATOR
bool MayAllocate() {
  const int64_t n = num_allocations.fetch_add(1, std::memory_order_relaxed) -
                    first_refused.load(std::memory_order_relaxed);
  return n < 0 || n >= num_refused.load(std::memory_order_relaxed);
}
#endif

}  // namespace

#ifdef HW_OWN_ALLOCATOR
bool CountsAllocations() { return false; }
#else
bool CountsAllocations() { return true; }
#endif
int64_t NumAllocations() { return num_allocations.load(); }
void RefuseAllocations(int64_t n, int64_t count) {
  first_refused.store(num_allocations.load() + n - 1);
  num_refused.store(count);
}

}  // namespace headway::parity

#ifndef HW_OWN_ALLOCATOR
// A program's own malloc takes the place of glibc's for all libraries, libstdc++'s operator new
// among them (glibc manual, "Replacing malloc"); glibc's stays reachable under these names.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);

__attribute__((visibility("default"))) void* malloc(size_t size) {
  return headway::parity::MayAllocate() ? __libc_malloc(size) : nullptr;
}
__attribute__((visibility("default"))) void* calloc(size_t count, size_t size) {
  return headway::parity::MayAllocate() ? __libc_calloc(count, size) : nullptr;
}
__attribute__((visibility("default"))) void* realloc(void* memory, size_t size) {
  return headway::parity::MayAllocate() ? __libc_realloc(memory, size) : nullptr;
}
__attribute__((visibility("default"))) void* memalign(size_t alignment, size_t size) {
  return headway::parity::MayAllocate() ? __libc_memalign(alignment, size) : nullptr;
}
__attribute__((visibility("default"))) void* aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}
__attribute__((visibility("default"))) int posix_memalign(void** memory, size_t alignment,
                                                          size_t size) {
  *memory = memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
__attribute__((visibility("default"))) void free(void* memory) { __libc_free(memory); }

__attribute__((visibility("default"))) void* mmap(void* address, size_t size, int protection,
                                                  int flags, int fd, off_t offset) {
  if ((flags & MAP_ANONYMOUS) != 0)
    headway::parity::num_allocations.fetch_add(1, std::memory_order_relaxed);
  return reinterpret_cast<void*>(::syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
#endif
