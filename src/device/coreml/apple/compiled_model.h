#pragma once

// Packages compiled for this system, kept between runs: the first load of a large shard takes
// minutes. Inside this folder only.

#include <string>

#include "base/result.h"

namespace headway::coreml {

// The .mlmodelc of the package at `path`: from the cache (device/compiled_cache.h), or compiled now.
// Compiled anew when the sizes or times of the package's files or the system's version are others.
// Errors: kIo (Core ML does not compile it), kNotFound; those of the cache.
Result<std::string> CompiledModel(const std::string& path);

}  // namespace headway::coreml
