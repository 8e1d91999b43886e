#pragma once

// What llama-server reads from the environment, for `headway serve`.

#include <string>
#include <vector>

#include "base/result.h"
#include "commands.h"

namespace headway::cli {

// `arguments` with what was not given on the command line and stands in the environment under
// llama-server's names. Errors: kInvalidInput, naming the variable.
Result<ServeArguments> WithEnvironment(ServeArguments arguments);

// The variables that are set, begin as llama-server's do and mean nothing here, by name.
std::vector<std::string> UnknownVariables();

}  // namespace headway::cli
