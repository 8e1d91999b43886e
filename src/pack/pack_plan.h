#pragma once

// What a package will hold, decided before the first byte is written: bad requests fail early and
// leave nothing behind. Inside this folder only.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"
#include "graph/cut.h"
#include "graph/graph.h"
#include "manifest/model_config.h"
#include "pack/pack.h"

namespace headway::compile {

struct PackPlan {
  ModelConfig model;
  std::vector<std::pair<graph::Range, graph::Graph>> layers;
  struct Head {
    std::string kind;
    std::vector<std::pair<graph::Range, graph::Graph>> shards;  // empty: those of heads[shares]
    bool with_planes = false;
    size_t shares = 0;
    std::vector<int32_t> first_ids;  // reduced:K: the rows of `first`, ascending; else empty
    graph::Graph first;
  };
  std::vector<Head> heads;
  graph::Graph head;        // before it is cut into shards
  std::string head_weight;  // the tensor of the head's rows
  graph::Graph embedding;
  bool own_embedding = false;
  int64_t max_seq = 0;
  uint64_t total_bytes = 0;
};

// Errors: those of reading the model; kInvalidInput (topology, heads, positions); kUnsupported (a
// head kind or a width that the device does not have).
Result<PackPlan> MakePackPlan(const gguf::GgufFile& file, const PackOptions& options,
                              const Emitter& emitter);

}  // namespace headway::compile
