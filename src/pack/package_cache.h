#pragma once

// Packages made on the way from a GGUF to text: each (model file, topology, head) is packed once
// and found again.

#include <string>

#include "base/result.h"
#include "headway/engine.h"

namespace headway::pack {

// The package directory for a GGUF: made now if the cache lacks it. Errors: those of pack::Pack.
Result<std::string> PackageFor(const std::string& gguf_path, const EngineOptions& options);

}  // namespace headway::pack
