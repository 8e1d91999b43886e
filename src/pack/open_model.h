#pragma once

// Opens what Engine::Open does, for who needs the parts: a package, or a GGUF, which is packed into
// the cache first.

#include <memory>
#include <string>

#include "base/result.h"
#include "engine/open.h"

namespace headway::pack {

// See Engine::Open.
Result<std::unique_ptr<OpenedModel>> OpenModel(const std::string& path,
                                               const EngineOptions& options);

// The directory of a package, or of the one made from a GGUF. Errors: those of packing;
// kNotFound.
Result<std::string> PackageDirectory(const std::string& path, const EngineOptions& options);

}  // namespace headway::pack
