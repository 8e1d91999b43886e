#include "allocation_counter.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace headway {
namespace {

std::atomic<size_t> allocated_bytes{0};

}  // namespace

size_t AllocatedBytes() { return allocated_bytes.load(std::memory_order_relaxed); }

}  // namespace headway

void* operator new(size_t num_bytes) {
  headway::allocated_bytes.fetch_add(num_bytes, std::memory_order_relaxed);
  void* memory = std::malloc(num_bytes == 0 ? 1 : num_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*num_bytes*/) noexcept { std::free(memory); }
