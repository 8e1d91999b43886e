#include "base/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace headway {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(size_t size_bytes) : size_bytes_(size_bytes) {
  if (size_bytes == 0) return;
  if (size_bytes >= kHugePageBytes) {
    // Anonymous pages are zero and cost nothing until touched.
    void* memory =
        ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HW_CHECK(memory != MAP_FAILED, "out of memory");
    ::madvise(memory, size_bytes, MADV_HUGEPAGE);
    data_ = static_cast<std::byte*>(memory);
    return;
  }
  const size_t rounded = (size_bytes + 63) / 64 * 64;
  data_ = static_cast<std::byte*>(std::aligned_alloc(64, rounded));
  HW_CHECK(data_ != nullptr, "out of memory");
  std::memset(data_, 0, rounded);
}

AlignedBuffer::~AlignedBuffer() {
  if (size_bytes_ >= kHugePageBytes) {
    ::munmap(data_, size_bytes_);
  } else {
    std::free(data_);
  }
}

}  // namespace headway
