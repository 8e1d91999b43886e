#pragma once

// A Core ML package for people: its program, whether it verifies, and where its ops are predicted
// to run. Inside this folder only.

#include <string>

#include "base/result.h"
#include "device/shard_description.h"

namespace headway::coreml {

// The package need not verify. Errors: those of mil::ReadPackageUnverified.
Result<ShardDescription> Describe(const std::string& path);

}  // namespace headway::coreml
