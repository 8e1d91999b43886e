#pragma once

// The weights of a package as its shards store them, under the model file's names: what the oracle
// must multiply with to be compared with them. Devices that keep the model file's own blocks need
// none of this.

#include <string>

#include "base/result.h"
#include "manifest/manifest.h"
#include "oracle/oracle.h"

namespace headway {

// Rows of layers and of the first head. An empty function when the device stores what the file
// holds. Errors: those of opening the shards. Reads of rows that no shard has fail with kCorrupt.
Result<oracle::WeightReader> OpenStoredWeights(const std::string& directory,
                                               const Manifest& manifest);

}  // namespace headway
