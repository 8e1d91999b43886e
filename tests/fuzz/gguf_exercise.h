#pragma once

// Everything that can be done with an untrusted GGUF file, for the fuzzer and the mutation test:
// parse, walk all metadata by every getter, view all tensors and dequantise rows. Aborts when an
// accepted file is inconsistent.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace headway {

// True when the file was accepted. `bytes` must be 8-byte aligned.
bool ExerciseGguf(std::span<const std::byte> bytes);

// Small valid files that between them use every value type, every tensor type and nested arrays.
std::vector<std::vector<std::byte>> GgufSeeds();

}  // namespace headway
