#pragma once

// Linking count_allocations.cc into a program counts every request for memory that any of its
// threads makes, whoever makes it: operator new, malloc and its kin, and mappings of memory without
// a file.

#include <cstdint>

namespace headway::parity {

// False where the tools that built the program bring an allocator of their own (sanitizers): then
// nothing is counted.
bool CountsAllocations();

// Requests since the program began.
int64_t NumAllocations();

// From now on malloc refuses its n-th request, 1 being the next one, and those after it: `count` in
// all.
void RefuseAllocations(int64_t n, int64_t count);

}  // namespace headway::parity
