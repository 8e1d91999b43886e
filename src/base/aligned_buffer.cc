#include "base/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/platform.h"

namespace headway {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

}  // namespace

AlignedBuffer::AlignedBuffer(size_t size_bytes) : size_bytes_(size_bytes) {
  if (size_bytes == 0) return;
  if (size_bytes >= kHugePageBytes) {
    // Anonymous pages are zero and cost nothing until touched. The kernel backs only whole aligned
    // 2 MiB pieces with huge pages, so the start is rounded up inside a mapping that is one such
    // piece longer.
    mapped_bytes_ = size_bytes + kHugePageBytes;
    mapping_ = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping_ == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<uintptr_t>(mapping_);
    const uintptr_t aligned = (address + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
    data_ = static_cast<std::byte*>(mapping_) + (aligned - address);
    platform::AdviseHugePages(data_, size_bytes);
    return;
  }
  const size_t rounded = (size_bytes + 63) / 64 * 64;
  data_ = static_cast<std::byte*>(std::aligned_alloc(64, rounded));
  if (data_ == nullptr) throw std::bad_alloc();
  std::memset(data_, 0, rounded);
}

AlignedBuffer::~AlignedBuffer() {
  if (mapping_ != nullptr) {
    ::munmap(mapping_, mapped_bytes_);
  } else {
    std::free(data_);
  }
}

}  // namespace headway
