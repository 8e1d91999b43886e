#pragma once

// The one place that includes the JSON library on behalf of the manifest. Inside this folder only.

#include <set>
#include <string>

#include "base/result.h"
#include "manifest/manifest.h"

namespace headway {

// Syntax, schema version, own digest and field types; coverage and paths are checked by the caller.
Result<Manifest> ParseManifestJson(const std::string& text, const std::string& where);

// Whether the text is JSON with the two fields that every manifest has had: the schema's number and
// our name as the producer.
bool LooksLikeManifest(const std::string& text);
// What is called "path" in such a text, at any depth.
std::set<std::string> PathsInManifest(const std::string& text);

}  // namespace headway
