#pragma once

// Where a user's cache is, and whether what lies in it may be believed.

#include <string>

#include "base/result.h"

namespace headway {

// Where packages made from GGUF files go, and below it what systems compile from programs; see
// docs/cli.md. `named`: as asked for, or empty. Errors: kNotFound (the environment names none).
Result<std::string> CacheDirectory(const std::string& named);

// Nobody but this user, or root, may have put something there: weights, templates and programs are
// believed. A directory that is not there is fine. Errors: kInvalidInput.
Result<void> CheckOwner(const std::string& directory);

}  // namespace headway
