#pragma once

// The weights of a package as its shards store them, under the model file's names: what the oracle
// must multiply with to be compared with them. Devices that keep the model file's own blocks need
// none of this.

#include <string>

#include "base/result.h"
#include "device/device.h"
#include "device/stored_shard.h"
#include "manifest/manifest.h"
#include "truth/oracle/oracle.h"

namespace headway {

// A shard of a head of `device`, which stores rows of its own: its graph and what it, or the host
// in its place, multiplies. Errors: those of opening the shard.
Result<StoredShard> OpenStoredHead(const Device& device, const std::string& directory,
                                   const Manifest& manifest, const HeadSpec& head,
                                   const HeadShard& shard);

// Rows of layers and of the first head. An empty function when the device stores what the file
// holds. Errors: those of opening the shards. Reads of rows that no shard has fail with kCorrupt.
Result<oracle::WeightReader> OpenStoredWeights(const std::string& directory,
                                               const Manifest& manifest);

}  // namespace headway
