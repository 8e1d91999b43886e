#include "graph/cut.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace headway::graph {
namespace {

std::optional<int64_t> ParseCount(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

tl::unexpected<Error> BadTopology(std::string_view text, const std::string& reason) {
  return Fail(ErrorCode::kInvalidInput, fmt::format("topology '{}': {}", text, reason));
}

Result<Range> ParseRange(std::string_view text, std::string_view item) {
  const size_t colon = item.find(':');
  if (colon != std::string_view::npos) {
    const auto begin = ParseCount(item.substr(0, colon));
    const auto end = ParseCount(item.substr(colon + 1));
    if (begin && end && *begin < *end) return Range{.begin = *begin, .end = *end};
  }
  return BadTopology(text, fmt::format("expected BEGIN:END with BEGIN < END, found '{}'", item));
}

// Keeps the entries marked in `keep`, in order; returns old index -> new index (-1 when dropped).
template <class T>
std::vector<int32_t> Compact(std::vector<T>* items, const std::vector<bool>& keep) {
  std::vector<int32_t> renumbered(items->size(), -1);
  std::vector<T> kept;
  for (size_t i = 0; i < items->size(); ++i) {
    if (!keep[i]) continue;
    renumbered[i] = static_cast<int32_t>(kept.size());
    kept.push_back(std::move((*items)[i]));
  }
  *items = std::move(kept);
  return renumbered;
}

// Drops the values and weights that no node touches.
void DropUntouched(Graph* graph) {
  std::vector<bool> values(graph->values.size(), false);
  std::vector<bool> weights(graph->weights.size(), false);
  for (const Node& node : graph->nodes) {
    values[static_cast<size_t>(node.output)] = true;
    for (const ValueId id : node.inputs) values[static_cast<size_t>(id)] = true;
    for (const WeightId id : node.weights) weights[static_cast<size_t>(id)] = true;
  }
  const std::vector<int32_t> value_of = Compact(&graph->values, values);
  const std::vector<int32_t> weight_of = Compact(&graph->weights, weights);
  const auto renumber = [](std::vector<int32_t>* ids, const std::vector<int32_t>& new_of) {
    for (int32_t& id : *ids) id = new_of[static_cast<size_t>(id)];
  };
  for (Node& node : graph->nodes) {
    renumber(&node.inputs, value_of);
    renumber(&node.weights, weight_of);
    node.output = value_of[static_cast<size_t>(node.output)];
  }
  renumber(&graph->inputs, value_of);
  renumber(&graph->outputs, value_of);
}

}  // namespace

Result<std::vector<Range>> ParseTopology(std::string_view text, int64_t num_layers) {
  std::vector<Range> ranges;
  if (const auto group = ParseCount(text)) {
    if (*group < 1) return BadTopology(text, "expected at least one layer a shard");
    for (int64_t layer = 0; layer < num_layers; layer += *group) {
      ranges.push_back({.begin = layer, .end = std::min(layer + *group, num_layers)});
    }
    return ranges;
  }
  int64_t next = 0;
  for (std::string_view rest = text;;) {
    const size_t comma = rest.find(',');
    HW_TRY(const Range range, ParseRange(text, rest.substr(0, comma)));
    if (range.begin > next)
      return BadTopology(text,
                         fmt::format("gap: layers [{}, {}) are in no shard", next, range.begin));
    if (range.begin < next) {
      return BadTopology(
          text, fmt::format("overlap: layers [{}, {}) are in two shards", range.begin, next));
    }
    if (range.end > num_layers) {
      return BadTopology(text, fmt::format("layer {} is beyond the last layer, {}", range.end - 1,
                                           num_layers - 1));
    }
    ranges.push_back(range);
    next = range.end;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (next < num_layers) {
    return BadTopology(text, fmt::format("gap: layers [{}, {}) are in no shard", next, num_layers));
  }
  return ranges;
}

std::string TopologyText(const std::vector<Range>& ranges) {
  std::string text;
  for (const Range& range : ranges)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", range.begin, range.end);
  return text;
}

Result<std::vector<Range>> SplitVocabulary(int64_t vocab_size, int64_t num_shards) {
  const int64_t granules = (vocab_size + kHeadRowGranule - 1) / kHeadRowGranule;
  const int64_t most = std::min(kMaxHeadShards, granules);
  if (num_shards < 1 || num_shards > most) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("head shards: expected 1 to {} for a vocabulary of {} tokens, found {}",
                            most, vocab_size, num_shards));
  }
  std::vector<Range> ranges;
  for (int64_t i = 0; i < num_shards; ++i) {
    ranges.push_back(
        {.begin = granules * i / num_shards * kHeadRowGranule,
         .end = std::min(granules * (i + 1) / num_shards * kHeadRowGranule, vocab_size)});
  }
  return ranges;
}

Result<Graph> CutStages(const Graph& graph, Range stages) {
  const size_t num_values = graph.values.size();
  std::vector<bool> made_inside(num_values, false);
  std::vector<bool> used_inside(num_values, false);
  std::vector<bool> used_outside(num_values, false);
  for (const ValueId id : graph.outputs) used_outside[static_cast<size_t>(id)] = true;
  Graph part = graph;
  part.nodes.clear();
  for (const Node& node : graph.nodes) {
    const bool inside = node.stage >= stages.begin && node.stage < stages.end;
    auto& used = inside ? used_inside : used_outside;
    for (const ValueId id : node.inputs) used[static_cast<size_t>(id)] = true;
    if (!inside) continue;
    made_inside[static_cast<size_t>(node.output)] = true;
    part.nodes.push_back(node);
  }
  part.inputs.clear();
  part.outputs.clear();
  for (size_t i = 0; i < num_values; ++i) {
    const auto id = static_cast<ValueId>(i);
    if (used_inside[i] && !made_inside[i]) part.inputs.push_back(id);
    if (made_inside[i] && used_outside[i]) part.outputs.push_back(id);
  }
  if (part.inputs.size() != 1 || part.outputs.size() != 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format(
            "graph cut: stages [{}, {}): expected one value in and one out, found {} and {}",
            stages.begin, stages.end, part.inputs.size(), part.outputs.size()));
  }
  DropUntouched(&part);
  HW_TRY_VOID(Verify(part));
  return part;
}

Result<Graph> CutEmbedding(const Graph& graph) {
  HW_TRY(Graph part, CutStages(graph, {.begin = -1, .end = 0}));
  if (part.nodes.size() == 1 && part.nodes[0].op == Op::kEmbedding) return part;
  return Fail(ErrorCode::kUnsupported,
              fmt::format("graph cut: stage -1: expected one embedding, found {} nodes that end "
                          "with {}",
                          part.nodes.size(), NameOf(part.nodes.back())));
}

Result<Graph> CutHeadRows(const Graph& head, Range rows) {
  Graph part = head;
  if (part.nodes.empty() || part.nodes.back().op != Op::kLinear || part.outputs.size() != 1 ||
      part.outputs[0] != part.nodes.back().output) {
    return Fail(ErrorCode::kInvalidInput,
                "graph cut: expected a head that ends in one linear, found another graph");
  }
  Weight& weight = part.weights[static_cast<size_t>(part.nodes.back().weights[0])];
  if (rows.begin < 0 || rows.begin >= rows.end || rows.end > weight.shape[0]) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("graph cut: expected rows inside [0, {}), found [{}, {})",
                            weight.shape[0], rows.begin, rows.end));
  }
  weight.shape = Shape{rows.end - rows.begin, weight.shape.Columns()};
  weight.row_begin += rows.begin;
  part.values[static_cast<size_t>(part.outputs[0])].channels = rows.end - rows.begin;
  HW_TRY_VOID(Verify(part));
  return part;
}

}  // namespace headway::graph
