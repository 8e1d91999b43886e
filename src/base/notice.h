#pragma once

// What is told to whoever looks on, beside a command's result.

#include <string_view>

namespace headway {

// Writes lines to stderr as Printable() has them, so that no name of a file or model steers the
// terminal. tools/check_style.py knows the files that may write to it by themselves.
void Notice(std::string_view lines);

}  // namespace headway
