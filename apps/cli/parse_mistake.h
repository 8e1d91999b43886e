#pragma once

// What CLI11 objects to, in the words of all other errors: what was expected and what was found.

#include <CLI/CLI.hpp>

#include "arguments.h"

namespace headway::cli {

// Status 2 and one line on the mistake that ended the parsing of `app`.
ParseOutcome Mistake(const CLI::ParseError& error, const CLI::App& app);

}  // namespace headway::cli
