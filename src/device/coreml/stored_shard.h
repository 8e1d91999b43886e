#pragma once

// What a Core ML package stores, for the oracle (device/stored_shard.h). Inside this folder only.

#include <string>

#include "base/result.h"
#include "device/stored_shard.h"

namespace headway::coreml {

// Opens the package `mlpackage` (layers or head). Errors: those of mil::ReadPackage; kCorrupt when
// it does not hold its graph or a weight of it.
Result<StoredShard> OpenStoredShard(const std::string& mlpackage);

// The same for a program that screens rows: the graph of its rows, and the weights that the host
// multiplies (HeadFiles). Errors: as above.
Result<StoredShard> OpenStoredScreen(const std::string& mlpackage, const std::string& rows_path,
                                     const std::string& embedding_path);

// Either, by whether there are rows.
Result<StoredShard> OpenStored(const std::string& mlpackage, const std::string& rows_path,
                               const std::string& embedding_path);

}  // namespace headway::coreml
