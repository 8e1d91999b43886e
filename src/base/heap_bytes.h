#pragma once

// How much of the heap is in use, exactly: what a process leaks shows there before it shows in its
// resident memory, which also holds what was freed and not given back (12 of 85 MiB of a server).

#include <cstdint>
#include <optional>

namespace headway {

// Bytes that are allocated and not freed, as the C library counts them; absent: it does not say.
std::optional<uint64_t> HeapBytesInUse();

}  // namespace headway
