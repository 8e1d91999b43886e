#pragma once

// Writing to stdout so that a full disk or a closed pipe is an error and not a silent loss.

#include <string_view>

#include "headway/result.h"

namespace headway::cli {

// Writes lines as Printable() has them, so that no name of a file or model steers the terminal, and
// flushes. Errors: kIo, with the operating system's reason.
Result<void> WriteOut(std::string_view text);
// As it is: JSON, whose strings have their escapes, and what a model wrote or read.
Result<void> WriteJson(std::string_view json);
Result<void> WriteModelText(std::string_view text);

// Opens /dev/null in place of a closed stdin, stdout or stderr: otherwise the next file opened, a
// package's shard perhaps, would get that number and be printed into.
void ReserveStandardStreams();

// That stdout was not one of them: what a command is there to print would be lost. Errors: kIo.
Result<void> CheckStdout();

}  // namespace headway::cli
