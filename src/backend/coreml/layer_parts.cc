#include "backend/coreml/layer_parts.h"

#include <fmt/format.h>

#include <cmath>

namespace headway::coreml {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;

tl::unexpected<Error> Unsupported(const Graph& g, const Node& node, const std::string& expected) {
  return Fail(ErrorCode::kUnsupported, fmt::format("coreml: node '{}': expected {}, found {}",
                                                   g.values[static_cast<size_t>(node.output)].name,
                                                   expected, graph::Traits(node.op).name));
}

// The nodes of one layer that carry weights or attributes, in the order of the forward pass.
struct LayerNodes {
  std::vector<const Node*> norms, linears, rotaries;
  const Node* attention = nullptr;
};

Result<LayerNodes> CollectLayer(const Graph& g, int64_t layer) {
  LayerNodes nodes;
  for (const Node& node : g.nodes) {
    if (node.stage != layer) continue;
    if (node.op == Op::kRmsNorm) nodes.norms.push_back(&node);
    if (node.op == Op::kLinear) nodes.linears.push_back(&node);
    if (node.op == Op::kRotary) nodes.rotaries.push_back(&node);
    if (node.op == Op::kAttention) nodes.attention = &node;
  }
  const bool fits = nodes.norms.size() == 2 &&
                    (nodes.linears.size() == 4 || nodes.linears.size() == 7) &&
                    nodes.rotaries.size() == 2 && nodes.attention != nullptr;
  if (fits) return nodes;
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("coreml: layer {}: expected 2 norms, 4 linears (fused qkv and gate_up) or 7 "
                  "(separate ones), 2 rotaries and an attention, found {}, {}, {} and {}",
                  layer, nodes.norms.size(), nodes.linears.size(), nodes.rotaries.size(),
                  nodes.attention != nullptr ? 1 : 0));
}

const graph::Weight& WeightOf(const Graph& g, const Node& node) {
  return g.weights[static_cast<size_t>(node.weights.front())];
}

// One linear whose matrix must be [rows, columns].
struct Expected {
  const Node* node;
  int64_t rows, columns;
};

Result<void> CheckShapes(const Graph& g, const std::vector<Expected>& linears) {
  for (const Expected& linear : linears) {
    const Shape& shape = WeightOf(g, *linear.node).shape;
    if (shape.Rows() != linear.rows || shape.Columns() != linear.columns) {
      return Unsupported(g, *linear.node,
                         fmt::format("a matrix [{}, {}]", linear.rows, linear.columns));
    }
  }
  return {};
}

WeightPart Whole(const Graph& g, const Node& node) {
  const graph::Weight& weight = WeightOf(g, node);
  return {.weight = &weight, .first_row = 0, .num_rows = weight.shape.Rows()};
}

Result<void> CheckAttributes(const Graph& g, const LayerNodes& nodes, const LayerParts& layer) {
  const float scale = 1.0F / std::sqrt(static_cast<float>(layer.attention.head_dim));
  if (layer.attention.scale != scale)
    return Unsupported(g, *nodes.attention, "a scale of 1 / sqrt(head_dim)");
  const auto& second = std::get<graph::RotaryAttributes>(nodes.rotaries[1]->attributes);
  if (!(second == layer.rotary))
    return Unsupported(g, *nodes.rotaries[1], "the same rotary attributes for queries and keys");
  return {};
}

}  // namespace

int64_t WeightPart::SourceRow(int64_t row) const {
  if (paired_dims == 0) return first_row + row;
  const int64_t head = row / head_dim * head_dim;
  const int64_t i = row % head_dim;
  const int64_t half = paired_dims / 2;
  if (i >= paired_dims) return first_row + row;
  return first_row + head + (i < half ? 2 * i : 2 * (i - half) + 1);
}

Result<LayerParts> FindLayerParts(const Graph& g, int64_t layer) {
  HW_TRY(const LayerNodes nodes, CollectLayer(g, layer));
  LayerParts found;
  found.rotary = std::get<graph::RotaryAttributes>(nodes.rotaries[0]->attributes);
  found.attention = std::get<graph::AttentionAttributes>(nodes.attention->attributes);
  found.rms_norm_eps = std::get<graph::RmsNormAttributes>(nodes.norms[0]->attributes).eps;
  HW_TRY_VOID(CheckAttributes(g, nodes, found));
  const bool fused = nodes.linears.size() == 4;
  const Node& down = *nodes.linears.back();
  const int64_t q = found.attention.num_heads * found.attention.head_dim;
  const int64_t kv = found.attention.num_kv_heads * found.attention.head_dim;
  const int64_t D = WeightOf(g, *nodes.linears[0]).shape.Columns();
  const int64_t F = WeightOf(g, down).shape.Columns();
  const std::vector<const Node*>& l = nodes.linears;
  if (fused) {
    HW_TRY_VOID(
        CheckShapes(g, {{l[0], q + 2 * kv, D}, {l[1], D, q}, {l[2], 2 * F, D}, {l[3], D, F}}));
  } else {
    HW_TRY_VOID(CheckShapes(g, {{l[0], q, D},
                                {l[1], kv, D},
                                {l[2], kv, D},
                                {l[3], D, q},
                                {l[4], F, D},
                                {l[5], F, D},
                                {l[6], D, F}}));
  }
  const auto part = [&found](mil::LayerWeight weight) -> std::vector<WeightPart>& {
    return found.parts[static_cast<size_t>(weight)];
  };
  std::vector<WeightPart>& qkv = part(mil::LayerWeight::kQkv);
  int64_t row = 0;
  for (size_t i = 0; i < 3; ++i) {
    const int64_t rows = i == 0 ? q : kv;
    qkv.push_back({.weight = &WeightOf(g, fused ? *l[0] : *l[i]),
                   .first_row = fused ? row : 0,
                   .num_rows = rows,
                   .paired_dims = found.rotary.pairs && i < 2 ? found.rotary.n_rot : 0,
                   .head_dim = found.attention.head_dim});
    row += rows;
  }
  part(mil::LayerWeight::kAttentionOut) = {Whole(g, *l[fused ? 1 : 3])};
  part(mil::LayerWeight::kGateUp) = {Whole(g, *l[fused ? 2 : 4])};
  if (!fused) part(mil::LayerWeight::kGateUp).push_back(Whole(g, *l[5]));
  part(mil::LayerWeight::kDown) = {Whole(g, down)};
  part(mil::LayerWeight::kAttentionNorm) = {Whole(g, *nodes.norms[0])};
  part(mil::LayerWeight::kFfnNorm) = {Whole(g, *nodes.norms[1])};
  return found;
}

Result<HeadParts> FindHeadParts(const Graph& g) {
  const Node* norm = nullptr;
  const Node* linear = nullptr;
  for (const Node& node : g.nodes) {
    if (node.op == Op::kRmsNorm) norm = &node;
    if (node.op == Op::kLinear) linear = &node;
  }
  if (norm == nullptr || linear == nullptr || linear->inputs.front() != norm->output) {
    return Fail(ErrorCode::kUnsupported,
                "coreml: expected a graph that ends with a norm and a linear");
  }
  return HeadParts{.gain = &WeightOf(g, *norm),
                   .matrix = &WeightOf(g, *linear),
                   .rms_norm_eps = std::get<graph::RmsNormAttributes>(norm->attributes).eps};
}

std::string StoredName(mil::LayerWeight weight, int64_t layer) {
  switch (weight) {
    case mil::LayerWeight::kAttentionNorm:
      return fmt::format("g_attn_norm_{}", layer);
    case mil::LayerWeight::kQkv:
      return fmt::format("w_qkv_{}", layer);
    case mil::LayerWeight::kAttentionOut:
      return fmt::format("w_attn_out_{}", layer);
    case mil::LayerWeight::kFfnNorm:
      return fmt::format("g_ffn_norm_{}", layer);
    case mil::LayerWeight::kGateUp:
      return fmt::format("w_gate_up_{}", layer);
    case mil::LayerWeight::kDown:
      break;
  }
  return fmt::format("w_down_{}", layer);
}

}  // namespace headway::coreml
