#pragma once

// A written shard as the oracle sees it: the graph it was made from and the weights it stores,
// decoded, under the model file's names. Comparing the oracle's values on these with the shard's
// own is the arithmetic half of the golden gate: quantisation is on both sides, so only the
// program's structure and its rounding are judged.

#include "device/traits.h"
#include "graph/graph.h"
#include "truth/oracle/oracle.h"

namespace headway {

struct StoredShard {
  graph::Graph graph;
  oracle::WeightReader weights;  // owns what it reads from
};

// What the oracle must imitate to be compared with a device's shards.
inline oracle::OracleOptions RoundingsOf(const DeviceTraits& traits) {
  return {.quantise_activations = traits.quantises_activations, .kv_f16 = true};
}

}  // namespace headway
