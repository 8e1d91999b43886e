#pragma once

// The text form of a graph: what `headway inspect` shows, what golden tests compare, and what a
// shard file carries (docs/formats/shard.md gives the grammar). Parse(Print(g)) == g.

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace headway::graph {

std::string Print(const Graph& graph);

// Parses and verifies. Errors: kCorrupt, with the line.
Result<Graph> Parse(std::string_view text);

}  // namespace headway::graph
