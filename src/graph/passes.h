#pragma once

// Rewrites that keep the values: each takes a graph and returns one, and RunPasses() verifies after
// every step.

#include <span>
#include <string_view>

#include "graph/graph.h"

namespace headway::graph {

// silu(gate) * up, the silu used nowhere else -> swiglu(gate, up).
Graph FuseSwiGlu(Graph graph);

// Drops nodes whose result nobody uses, and weights and values that only they used.
Graph RemoveDead(Graph graph);

struct Pass {
  std::string_view name;
  Graph (*run)(Graph);
};

// The pipeline of `compile`, in order.
std::span<const Pass> DefaultPasses();

Result<Graph> RunPasses(Graph graph, std::span<const Pass> passes);

}  // namespace headway::graph
