#pragma once

// The one place that includes the JSON library on behalf of the manifest. Inside this folder only.

#include <string>

#include "base/result.h"
#include "manifest/manifest.h"

namespace headway {

// Syntax, schema version, own digest and field types; coverage and paths are checked by the caller.
Result<Manifest> ParseManifestJson(const std::string& text, const std::string& where);

}  // namespace headway
