#pragma once

// The cheapest way to cut the layers into shards, from what was measured: a shortest path over
// edges [i, j). Edges that failed a gate are not there.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/results.h"

namespace headway::lab {

struct ShardEdge {
  int64_t begin = 0;
  int64_t end = 0;
  double ns = 0;  // a token
  friend bool operator==(const ShardEdge&, const ShardEdge&) = default;
};

struct Cover {
  std::vector<ShardEdge> edges;
  double ns = 0;
};

// The cheapest cover of [0, num_layers) without gap or overlap; fewer edges on equal cost. None: no
// cover exists.
std::optional<Cover> CheapestCover(const std::vector<ShardEdge>& edges, int64_t num_layers);

struct TopologyFinding {
  std::vector<ShardEdge>
      measured;                   // ascending; median over all rounds of all variants that have it
  std::vector<ShardEdge> failed;  // ns is 0
  std::optional<Cover> cheapest;
  double bound_ns = 0;  // bytes of all layers / memory bandwidth: no cut can be faster
};

TopologyFinding SearchTopology(const Results& results);

// "0:6,6:12"
std::string Text(const Cover& cover);

}  // namespace headway::lab
