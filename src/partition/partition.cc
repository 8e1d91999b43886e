#include "partition/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "graph/passes.h"

namespace headway::partition {
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

Result<graph::Graph> CutStages(const graph::Graph& graph, Range stages) {
  const size_t num_values = graph.values.size();
  std::vector<bool> made_inside(num_values, false);
  std::vector<bool> used_inside(num_values, false);
  std::vector<bool> used_outside(num_values, false);
  for (const graph::ValueId id : graph.outputs) used_outside[static_cast<size_t>(id)] = true;
  graph::Graph part = graph;
  part.nodes.clear();
  for (const graph::Node& node : graph.nodes) {
    const bool inside = node.stage >= stages.begin && node.stage < stages.end;
    auto& used = inside ? used_inside : used_outside;
    for (const graph::ValueId id : node.inputs) used[static_cast<size_t>(id)] = true;
    if (!inside) continue;
    made_inside[static_cast<size_t>(node.output)] = true;
    part.nodes.push_back(node);
  }
  part.inputs.clear();
  part.outputs.clear();
  for (size_t i = 0; i < num_values; ++i) {
    const auto id = static_cast<graph::ValueId>(i);
    if (used_inside[i] && !made_inside[i]) part.inputs.push_back(id);
    if (made_inside[i] && used_outside[i]) part.outputs.push_back(id);
  }
  if (part.inputs.size() != 1 || part.outputs.size() != 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format(
            "partition: stages [{}, {}): expected one value in and one out, found {} and {}",
            stages.begin, stages.end, part.inputs.size(), part.outputs.size()));
  }
  part = graph::RemoveDead(std::move(part));
  HW_TRY_VOID(graph::Verify(part));
  return part;
}

Result<graph::Graph> CutHeadRows(const graph::Graph& head, Range rows) {
  graph::Graph part = head;
  if (part.nodes.empty() || part.nodes.back().op != graph::Op::kLinear ||
      part.outputs.size() != 1 || part.outputs[0] != part.nodes.back().output) {
    return Fail(ErrorCode::kInvalidInput,
                "partition: expected a head that ends in one linear, found another graph");
  }
  graph::Weight& weight = part.weights[static_cast<size_t>(part.nodes.back().weights[0])];
  if (rows.begin < 0 || rows.begin >= rows.end || rows.end > weight.shape[0]) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("partition: expected rows inside [0, {}), found [{}, {})",
                            weight.shape[0], rows.begin, rows.end));
  }
  weight.shape = Shape{rows.end - rows.begin, weight.shape.Columns()};
  weight.row_begin += rows.begin;
  part.values[static_cast<size_t>(part.outputs[0])].channels = rows.end - rows.begin;
  HW_TRY_VOID(graph::Verify(part));
  return part;
}

}  // namespace headway::partition
