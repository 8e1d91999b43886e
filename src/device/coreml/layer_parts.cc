#include "device/coreml/layer_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace headway::coreml {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;
using graph::ValueId;

// Walks a graph from results to inputs along its edges, and refuses what is not there by name.
class Walk {
 public:
  explicit Walk(const Graph& graph) : graph_(graph), maker_(graph.values.size(), nullptr) {
    for (const Node& node : graph.nodes) maker_[static_cast<size_t>(node.output)] = &node;
  }

  // The node that makes `value`, which must be of that op. `role`: what it is to the layer.
  Result<const Node*> Maker(ValueId value, Op op, const std::string& role) {
    const Node* node = maker_[static_cast<size_t>(value)];
    if (node == nullptr)
      return Unsupported(value, fmt::format("{} ({})", role, graph::Traits(op).name), "an input");
    if (node->op != op)
      return Unsupported(value, fmt::format("{} ({})", role, graph::Traits(op).name),
                         graph::NameOf(*node));
    visited_.insert(node);
    return node;
  }

  // Rows of a linear's matrix, all of them or those that a slice takes of its result.
  struct Projection {
    ValueId input = -1;
    const graph::Weight* weight = nullptr;
    int64_t first_row = 0;
    int64_t num_rows = 0;
  };
  Result<Projection> Project(ValueId value, const std::string& role) {
    Projection found{.num_rows = graph_.values[static_cast<size_t>(value)].channels};
    const Node* node = maker_[static_cast<size_t>(value)];
    if (node != nullptr && node->op == Op::kSlice) {
      visited_.insert(node);
      found.first_row = std::get<graph::SliceAttributes>(node->attributes).begin;
      value = node->inputs[0];
    }
    HW_TRY(const Node* linear, Maker(value, Op::kLinear, role));
    found.input = linear->inputs[0];
    found.weight = &WeightOf(*linear);
    return found;
  }

  // A value that must be `expected`, known from elsewhere as `role`.
  Result<void> Same(ValueId value, ValueId expected, const std::string& role) const {
    if (value == expected) return {};
    return Unsupported(value, fmt::format("{}, '{}'", role, Name(expected)), "another value");
  }

  // The sum that makes `value`: what is carried on, and the product that is added to it.
  struct Residual {
    ValueId carried = -1;
    ValueId added = -1;
  };
  Result<Residual> Sum(ValueId value, const std::string& role) {
    HW_TRY(const Node* sum, Maker(value, Op::kAdd, role));
    const Node* first = maker_[static_cast<size_t>(sum->inputs[0])];
    const size_t added = first != nullptr && first->op == Op::kLinear ? 0 : 1;
    return Residual{.carried = sum->inputs[1 - added], .added = sum->inputs[added]};
  }

  // Every node of the stage has been visited: nothing is left that would not be lowered.
  Result<void> AllVisited(int64_t stage) const {
    for (const Node& node : graph_.nodes) {
      if (node.stage == stage && visited_.count(&node) == 0)
        return Unsupported(node.output, "no other op", graph::NameOf(node));
    }
    return {};
  }

  const graph::Weight& WeightOf(const Node& node) const {
    return graph_.weights[static_cast<size_t>(node.weights.front())];
  }
  tl::unexpected<Error> Unsupported(ValueId value, const std::string& expected,
                                    const std::string& found) const {
    return Fail(ErrorCode::kUnsupported, fmt::format("coreml: value '{}': expected {}, found {}",
                                                     Name(value), expected, found));
  }

 private:
  const std::string& Name(ValueId value) const {
    return graph_.values[static_cast<size_t>(value)].name;
  }

  const Graph& graph_;
  std::vector<const Node*> maker_;  // by value; null: an input
  std::set<const Node*> visited_;
};

using Parts = std::vector<WeightPart>;

WeightPart PartOf(const Walk::Projection& projection) {
  return {.weight = projection.weight,
          .first_row = projection.first_row,
          .num_rows = projection.num_rows};
}

// The one layer form that the shard builders know, found by its edges:
//   x1 = x + attn_out(attention(rotary(q(n)), rotary(k(n)), v(n))),   n = norm(x)
//   y = x1 + down(gate(gate(m), up(m))),                              m = norm(x1)
class LayerWalk {
 public:
  LayerWalk(const Graph& graph, LayerParts* found) : graph_(graph), walk_(graph), found_(*found) {}

  Result<void> Run(int64_t layer) {
    const auto last = std::find_if(graph_.nodes.rbegin(), graph_.nodes.rend(),
                                   [&](const Node& node) { return node.stage == layer; });
    if (last == graph_.nodes.rend()) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("coreml: layer {}: expected nodes, found none", layer));
    }
    found_.output = last->output;
    HW_TRY(const ValueId middle, FeedForward(found_.output));
    HW_TRY_VOID(Attention(middle));
    return walk_.AllVisited(layer);
  }

 private:
  Parts& Of(mil::LayerWeight weight) { return found_.parts[static_cast<size_t>(weight)]; }

  // What a norm reads; it belongs to `weight`.
  Result<ValueId> Norm(ValueId value, mil::LayerWeight weight, const std::string& role) {
    HW_TRY(const Node* norm, walk_.Maker(value, Op::kRmsNorm, role));
    const auto& attributes = std::get<graph::RmsNormAttributes>(norm->attributes);
    if (attributes.group != 0)
      return walk_.Unsupported(value, "a norm of whole rows",
                               fmt::format("groups of {}", attributes.group));
    if (found_.rms_norm_eps != 0.0F && found_.rms_norm_eps != attributes.eps)
      return walk_.Unsupported(value, fmt::format("eps {}, as before", found_.rms_norm_eps),
                               fmt::format("{}", attributes.eps));
    found_.rms_norm_eps = attributes.eps;
    Of(weight) = {{.weight = &walk_.WeightOf(*norm), .first_row = 0, .num_rows = 1}};
    return norm->inputs[0];
  }

  // What the whole matrix of a linear reads.
  Result<ValueId> Whole(ValueId value, mil::LayerWeight weight, const std::string& role) {
    HW_TRY(const Node* linear, walk_.Maker(value, Op::kLinear, role));
    const graph::Weight& matrix = walk_.WeightOf(*linear);
    Of(weight) = {{.weight = &matrix, .first_row = 0, .num_rows = matrix.shape.Rows()}};
    return linear->inputs[0];
  }

  // Returns x1.
  Result<ValueId> FeedForward(ValueId result) {
    HW_TRY(const Walk::Residual sum, walk_.Sum(result, "the feed-forward's residual sum"));
    HW_TRY(const ValueId hidden,
           Whole(sum.added, mil::LayerWeight::kDown, "the feed-forward's second product"));
    HW_TRY(const Node* gate, walk_.Maker(hidden, Op::kGate, "the feed-forward's gate"));
    if (std::get<graph::GateAttributes>(gate->attributes).activation != graph::Activation::kSilu)
      return walk_.Unsupported(hidden, "a gate by silu (swiglu)", graph::NameOf(*gate));
    HW_TRY(const Walk::Projection gated, walk_.Project(gate->inputs[0], "the gate's product"));
    HW_TRY(const Walk::Projection up, walk_.Project(gate->inputs[1], "the gated product"));
    HW_TRY_VOID(walk_.Same(up.input, gated.input, "what the gate's product reads"));
    Of(mil::LayerWeight::kGateUp) = {PartOf(gated), PartOf(up)};
    HW_TRY(const ValueId normed,
           Norm(gated.input, mil::LayerWeight::kFfnNorm, "the feed-forward's norm"));
    HW_TRY_VOID(walk_.Same(normed, sum.carried, "what the residual sum adds to"));
    return sum.carried;
  }

  Result<void> Attention(ValueId x1) {
    HW_TRY(const Walk::Residual sum, walk_.Sum(x1, "the attention's residual sum"));
    HW_TRY(const ValueId heads,
           Whole(sum.added, mil::LayerWeight::kAttentionOut, "the attention's output product"));
    HW_TRY(const Node* attention, walk_.Maker(heads, Op::kAttention, "the attention"));
    found_.attention = std::get<graph::AttentionAttributes>(attention->attributes);
    const float scale = 1.0F / std::sqrt(static_cast<float>(found_.attention.head_dim));
    if (found_.attention.scale != scale)
      return walk_.Unsupported(heads, "a scale of 1 / sqrt(head_dim)",
                               fmt::format("{}", found_.attention.scale));
    found_.input = sum.carried;
    return Projections(*attention);
  }

  Result<void> Projections(const Node& attention) {
    ValueId input = -1;
    for (size_t i = 0; i < 3; ++i) {
      ValueId value = attention.inputs[i];
      const std::string role = std::array{"queries", "keys", "values"}[i];
      if (i < 2) {
        HW_TRY(value, Rotated(value, role, i == 0));
      }
      HW_TRY(const Walk::Projection projection, walk_.Project(value, "the product of " + role));
      if (i == 0) input = projection.input;
      HW_TRY_VOID(walk_.Same(projection.input, input, "what the product of queries reads"));
      WeightPart part = PartOf(projection);
      part.paired_dims = found_.rotary.pairs && i < 2 ? found_.rotary.n_rot : 0;
      part.head_dim = found_.attention.head_dim;
      Of(mil::LayerWeight::kQkv).push_back(part);
    }
    HW_TRY(const ValueId normed,
           Norm(input, mil::LayerWeight::kAttentionNorm, "the attention's norm"));
    return walk_.Same(normed, found_.input, "what the residual sum adds to");
  }

  // What rotary turns; queries and keys alike.
  Result<ValueId> Rotated(ValueId value, const std::string& role, bool first) {
    HW_TRY(const Node* node, walk_.Maker(value, Op::kRotary, "rotary of " + role));
    const auto& rotary = std::get<graph::RotaryAttributes>(node->attributes);
    if (rotary.table != 0 || rotary.head_dim != found_.attention.head_dim)
      return walk_.Unsupported(
          value, "rotary of the attention's heads by table 0",
          fmt::format("heads of {} and table {}", rotary.head_dim, rotary.table));
    if (!first && !(rotary == found_.rotary))
      return walk_.Unsupported(value, "the rotary of the queries", "another one");
    found_.rotary = rotary;
    return node->inputs[0];
  }

  const Graph& graph_;
  Walk walk_;
  LayerParts& found_;
};

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
  LayerParts found;
  HW_TRY_VOID(LayerWalk(g, &found).Run(layer));
  return found;
}

Result<HeadParts> FindHeadParts(const Graph& g) {
  if (g.outputs.empty())
    return Fail(ErrorCode::kUnsupported, "coreml: expected a graph with an output, found none");
  Walk walk(g);
  const ValueId logits = g.outputs.front();
  HW_TRY(const Node* linear, walk.Maker(logits, Op::kLinear, "the head's product"));
  HW_TRY(const Node* norm, walk.Maker(linear->inputs[0], Op::kRmsNorm, "the head's norm"));
  HW_TRY_VOID(walk.AllVisited(linear->stage));
  const auto& attributes = std::get<graph::RmsNormAttributes>(norm->attributes);
  if (attributes.group != 0)
    return walk.Unsupported(norm->output, "a norm of whole rows",
                            fmt::format("groups of {}", attributes.group));
  return HeadParts{.gain = &walk.WeightOf(*norm),
                   .matrix = &walk.WeightOf(*linear),
                   .rms_norm_eps = attributes.eps};
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
