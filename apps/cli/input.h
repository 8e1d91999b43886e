#pragma once

// Texts that commands read: files, and what ends of itself, such as pipes.

#include <cstdint>
#include <string>

#include "headway/result.h"

namespace headway::cli {

// The bytes of a file, of a pipe or terminal until it ends (/dev/stdin, a shell's <(...)), and of
// stdin for "-", which only one argument can have. Errors: kInvalidInput (more than `most_bytes`,
// stdin again), kNotFound, kIo.
Result<std::string> ReadInput(const std::string& file, uint64_t most_bytes);

// How messages call it.
inline std::string InputName(const std::string& file) { return file == "-" ? "stdin" : file; }

}  // namespace headway::cli
