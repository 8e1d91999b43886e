#pragma once

// How weights come into memory.

namespace headway {

// kMap reads the package in place (opens at once, shares memory between processes), kCopy reads it
// into huge pages (decodes faster where TLB misses are dear, as on virtual machines), kAuto copies
// large models when memory is plentiful.
enum class LoadWeights { kAuto, kMap, kCopy };

}  // namespace headway
