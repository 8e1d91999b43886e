#pragma once

// What is in a directory, and its end. std::filesystem's iterators and remove_all() are not used:
// in libstdc++ a step of theirs is noexcept and makes strings, so that a process whose memory is
// used up ends there instead of saying so (tools/check_style.py knows).

#include <string>
#include <system_error>
#include <vector>

#include "base/result.h"

namespace headway {

// The names in `directory`, sorted, without "." and "..". Errors: kNotFound; kIo.
Result<std::vector<std::string>> NamesIn(const std::string& directory);

// Removes a file, or a directory with all below it; of a link the link alone. Nothing at `path` is
// no error; of several the first is returned, and the rest is removed. Memory that runs out is an
// error, too, so that destructors may call it.
std::error_code RemoveTree(const std::string& path) noexcept;

}  // namespace headway
