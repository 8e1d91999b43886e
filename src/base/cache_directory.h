#pragma once

// Where a user's cache is, and whether what lies in it may be believed.

#include <string>

#include "base/result.h"

namespace headway {

// Where packages made from GGUF files go, and below it what systems compile from programs; see
// docs/cli.md. `named`: as asked for, or empty. Errors: kNotFound (the environment names none).
Result<std::string> CacheDirectory(const std::string& named);

// Makes it where it is not there, such that nobody else may write to it, whatever the umask: an
// ordinary one of 002 would let a group put packages there. Failures show when it is used.
void MakeCacheDirectory(const std::string& path);

// Nobody but this user, or root, may have put something there: weights, templates and programs are
// believed. A directory that is not there is fine. Errors: kInvalidInput.
Result<void> CheckOwner(const std::string& directory);

}  // namespace headway
