#pragma once

// Cuts a model's graph into what a package holds: the embedding, fused layer shards by topology,
// and N LM-head shards by vocabulary rows. Knows no file and no device.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace headway::graph {

struct Range {
  int64_t begin = 0;
  int64_t end = 0;  // exclusive
  friend bool operator==(const Range&, const Range&) = default;
};

// "6": groups of six layers, the last one shorter. "0:20,20:24,24:32": explicit; must cover [0,
// num_layers) in order without gap or overlap. Errors: kInvalidInput, saying where the cover
// breaks.
Result<std::vector<Range>> ParseTopology(std::string_view text, int64_t num_layers);

// "0:6,6:12"
std::string TopologyText(const std::vector<Range>& ranges);

inline constexpr int64_t kMaxHeadShards = 64;
// Shard boundaries fall on multiples of this, so that no kernel tile is shared.
inline constexpr int64_t kHeadRowGranule = 16;

// The vocabulary in num_shards contiguous parts whose sizes differ by at most one granule. Errors:
// kInvalidInput for zero shards, more than kMaxHeadShards, or more than the vocabulary has
// granules.
Result<std::vector<Range>> SplitVocabulary(int64_t vocab_size, int64_t num_shards);

// The subgraph of the nodes with stage in [stages.begin, stages.end). Values from outside become
// inputs, values used outside outputs. Errors: kInvalidInput when it has other than one input and
// one output.
Result<Graph> CutStages(const Graph& graph, Range stages);

// Stage -1, which must be one embedding and nothing else: hosts read rows of its table, wherever it
// is stored (a tied head has it), so that a second op in there would be lost. What a model does to
// them (a scale) stands in stage 0. Errors: kUnsupported, naming what was found.
Result<Graph> CutEmbedding(const Graph& graph);

// The head graph (stage num_layers: norm, then one linear) restricted to rows [rows.begin,
// rows.end) of its matrix.
Result<Graph> CutHeadRows(const Graph& head, Range rows);

}  // namespace headway::graph
