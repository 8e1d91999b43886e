#include "backend/coreml/graph_shards.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "tensor/codec.h"

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

// The nodes of one layer that carry weights or attributes, in the order of the Phi-3 forward pass.
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
  const bool fits = nodes.norms.size() == 2 && nodes.linears.size() == 4 &&
                    nodes.rotaries.size() == 2 && nodes.attention != nullptr;
  if (fits) return nodes;
  return Fail(ErrorCode::kUnsupported,
              fmt::format("coreml: layer {}: expected 2 norms, 4 linears (fused qkv and gate_up), "
                          "2 rotaries and an "
                          "attention, found {}, {}, {} and {}",
                          layer, nodes.norms.size(), nodes.linears.size(), nodes.rotaries.size(),
                          nodes.attention != nullptr ? 1 : 0));
}

const graph::Weight& WeightOf(const Graph& g, const Node& node) {
  return g.weights[static_cast<size_t>(node.weights.front())];
}

// Rows of a stored matrix or vector as floats; a vector is one row.
Result<void> ReadRows(const graph::Weight& weight, const WeightSource& source, int64_t first_row,
                      std::span<float> out) {
  HW_TRY(const ConstTensorView view, source(weight.name));
  const int64_t columns = view.shape.Columns();
  const auto width = static_cast<size_t>(columns);
  for (size_t at = 0; at < out.size(); at += width) {
    const int64_t row = weight.row_begin + first_row + static_cast<int64_t>(at / width);
    DequantiseRow(view.type, view.Row(row), columns, out.data() + at);
  }
  return {};
}

Result<mil::LayerShardSpec> SpecOf(const Graph& g, const LayerNodes& nodes,
                                   const LoweringOptions& options) {
  const auto& rotary = std::get<graph::RotaryAttributes>(nodes.rotaries[0]->attributes);
  const auto& attention = std::get<graph::AttentionAttributes>(nodes.attention->attributes);
  if (rotary.pairs) return Unsupported(g, *nodes.rotaries[0], "rotary halves");
  if (attention.window != 0 && attention.window < options.max_seq) {
    return Unsupported(g, *nodes.attention,
                       fmt::format("a window of at least {} positions", options.max_seq));
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(attention.head_dim));
  if (attention.scale != scale)
    return Unsupported(g, *nodes.attention, "a scale of 1 / sqrt(head_dim)");
  mil::LayerShardSpec spec;
  spec.num_heads = attention.num_heads;
  spec.num_kv_heads = attention.num_kv_heads;
  spec.head_dim = attention.head_dim;
  spec.rotary_dims = rotary.n_rot;
  spec.hidden_size = WeightOf(g, *nodes.linears[0]).shape.Columns();
  spec.intermediate_size = WeightOf(g, *nodes.linears[3]).shape.Columns();
  spec.rms_norm_epsilon = std::get<graph::RmsNormAttributes>(nodes.norms[0]->attributes).eps;
  spec.max_seq = options.max_seq;
  spec.tokens = options.tokens;
  spec.flexible = options.flexible;
  spec.states = options.states;
  spec.attention = options.attention;
  spec.norm_prescale = options.norm_prescale;
  spec.weights = options.weights;
  const std::array<std::array<int64_t, 2>, 4> expected = {
      {{(spec.num_heads + 2 * spec.num_kv_heads) * spec.head_dim, spec.hidden_size},
       {spec.hidden_size, spec.num_heads * spec.head_dim},
       {2 * spec.intermediate_size, spec.hidden_size},
       {spec.hidden_size, spec.intermediate_size}}};
  for (size_t i = 0; i < expected.size(); ++i) {
    const Shape& shape = WeightOf(g, *nodes.linears[i]).shape;
    if (shape.Rows() != expected[i][0] || shape.Columns() != expected[i][1]) {
      return Unsupported(g, *nodes.linears[i],
                         fmt::format("a matrix [{}, {}]", expected[i][0], expected[i][1]));
    }
  }
  return spec;
}

const graph::Weight& WeightOf(const Graph& g, const LayerNodes& nodes, mil::LayerWeight weight) {
  switch (weight) {
    case mil::LayerWeight::kAttentionNorm:
      return WeightOf(g, *nodes.norms[0]);
    case mil::LayerWeight::kQkv:
      return WeightOf(g, *nodes.linears[0]);
    case mil::LayerWeight::kAttentionOut:
      return WeightOf(g, *nodes.linears[1]);
    case mil::LayerWeight::kFfnNorm:
      return WeightOf(g, *nodes.norms[1]);
    case mil::LayerWeight::kGateUp:
      return WeightOf(g, *nodes.linears[2]);
    case mil::LayerWeight::kDown:
      break;
  }
  return WeightOf(g, *nodes.linears[3]);
}

}  // namespace

Result<mil::Shard> LowerLayers(const Graph& model, int first_layer, int num_layers,
                               const WeightSource& weights, const LoweringOptions& options,
                               mil::BlobSink* blobs, const mil::ShardOptions& shard_options) {
  std::vector<LayerNodes> layers;
  mil::LayerShardSpec spec;
  for (int i = 0; i < num_layers; ++i) {
    HW_TRY(LayerNodes nodes, CollectLayer(model, first_layer + i));
    HW_TRY(spec, SpecOf(model, nodes, options));
    layers.push_back(std::move(nodes));
  }
  spec.first_layer = first_layer;
  spec.num_layers = num_layers;
  const mil::LayerWeightSource source = [&](mil::LayerWeight weight, int layer, int64_t first_row,
                                            std::span<float> out) {
    return ReadRows(WeightOf(model, layers[static_cast<size_t>(layer - first_layer)], weight),
                    weights, first_row, out);
  };
  return mil::BuildLayerShard(spec, source, blobs, shard_options);
}

Result<mil::Shard> LowerHead(const Graph& model, int64_t vocab_begin, int64_t vocab_end,
                             mil::HeadKind kind, const WeightSource& weights,
                             const LoweringOptions& options, mil::BlobSink* blobs,
                             const mil::ShardOptions& shard_options) {
  const Node* norm = nullptr;
  const Node* linear = nullptr;
  for (const Node& node : model.nodes) {
    if (node.op == Op::kRmsNorm) norm = &node;
    if (node.op == Op::kLinear) linear = &node;
  }
  if (norm == nullptr || linear == nullptr || linear->inputs.front() != norm->output) {
    return Fail(ErrorCode::kUnsupported,
                "coreml: expected a graph that ends with a norm and a linear");
  }
  const graph::Weight& head = WeightOf(model, *linear);
  if (vocab_end > head.shape.Rows()) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("coreml: expected head rows below {}, found {}", head.shape.Rows(), vocab_end));
  }
  mil::HeadShardSpec spec;
  spec.hidden_size = head.shape.Columns();
  spec.vocab_begin = vocab_begin;
  spec.vocab_end = vocab_end;
  spec.kind = kind;
  spec.tokens = options.tokens;
  spec.flexible = options.flexible;
  spec.rms_norm_epsilon = std::get<graph::RmsNormAttributes>(norm->attributes).eps;
  spec.norm_prescale = options.norm_prescale;
  spec.weights = options.weights;
  std::vector<float> gain(static_cast<size_t>(spec.hidden_size));
  HW_TRY_VOID(ReadRows(WeightOf(model, *norm), weights, 0, gain));
  const mil::RowSource rows = [&](int64_t first, std::span<float> out) {
    return ReadRows(head, weights, first, out);
  };
  return mil::BuildHeadShard(spec, gain, rows, blobs, shard_options);
}

}  // namespace headway::coreml
