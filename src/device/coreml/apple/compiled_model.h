#pragma once

// Packages compiled for this system, kept between runs: the first load of a large shard takes
// minutes. Inside this folder only.

#include <string>

#include "base/result.h"

namespace headway::coreml {

// The .mlmodelc of the package at `path`: from the cache, or compiled now. Kept under
// $HEADWAY_COREML_CACHE, or Headway/coreml in the user's directory for caches; the name is made of
// the package's path, the sizes and times of its files, and the system's version, so that another
// package or system compiles anew. Errors: kIo (Core ML does not compile it), kNotFound.
Result<std::string> CompiledModel(const std::string& path);

}  // namespace headway::coreml
