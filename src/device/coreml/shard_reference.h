#pragma once

// A written shard as the oracle sees it: the graph it was made from and the weights it stores,
// decoded, under the model file's names. Comparing the oracle's values on these with the shard's
// own is the arithmetic half of the golden gate: quantisation is on both sides, so only the
// program's structure and its rounding are judged.

#include <memory>
#include <string>

#include "base/result.h"
#include "graph/graph.h"
#include "truth/oracle/oracle.h"

namespace headway::coreml {

struct ShardReference {
  graph::Graph graph;
  oracle::WeightReader weights;  // owns what it reads from
};

// Opens the package `mlpackage` (layers or head). Errors: those of mil::ReadPackage; kCorrupt when
// it does not hold its graph or a weight of it.
Result<ShardReference> OpenShardReference(const std::string& mlpackage);

// The same for a program that screens rows: the graph of its rows, and the weights that the host
// multiplies (Backend::LoadScreened). Errors: as above.
Result<ShardReference> OpenScreenedReference(const std::string& mlpackage,
                                             const std::string& rows_path,
                                             const std::string& embedding_path);

// What the oracle must imitate to be compared with a shard: 16-bit keys and values, nothing else.
inline constexpr oracle::OracleOptions kShardOracle = {.quantise_activations = false,
                                                       .kv_f16 = true};

}  // namespace headway::coreml
