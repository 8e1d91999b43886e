#pragma once

// Linking allocation_counter.cc replaces the global operator new by one that counts. Its own file,
// so that compilers do not see through it and match malloc with delete.

#include <cstddef>

namespace headway {

// Bytes asked of operator new since the program began, whether freed since or not.
size_t AllocatedBytes();

}  // namespace headway
