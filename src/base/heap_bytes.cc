#include "base/heap_bytes.h"

#include <cstdlib>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace headway {

std::optional<uint64_t> HeapBytesInUse() {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
  const struct mallinfo2 heap = ::mallinfo2();
  return static_cast<uint64_t>(heap.uordblks) + static_cast<uint64_t>(heap.hblkhd);
#else
  return std::nullopt;
#endif
}

}  // namespace headway
