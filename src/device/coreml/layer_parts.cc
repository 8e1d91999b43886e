#include "device/coreml/layer_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "device/coreml/graph_walk.h"

namespace headway::coreml {
namespace {

using graph::Graph;
using graph::Node;
using graph::Op;
using graph::ValueId;
using mil::LayerWeight;
using mil::NormPlace;

using Parts = std::vector<WeightPart>;

WeightPart PartOf(const Walk::Projection& projection) {
  return {.weight = projection.weight,
          .first_row = projection.first_row,
          .num_rows = projection.num_rows};
}

WeightPart BiasOf(const Walk::Projection& projection) {
  return {.weight = projection.bias_or_null,
          .first_row = projection.first_row,
          .num_rows = projection.num_rows,
          .is_vector = true};
}

bool HasBias(const Parts& biases) {
  return std::any_of(biases.begin(), biases.end(),
                     [](const WeightPart& part) { return part.weight != nullptr; });
}

// The one layer that the shard builders know, in its forms, found by its edges:
//   x1 = x + branch(attn_out(attention(turned(q(n)), turned(k(n)), v(n)))),   n = norm(x) or x
//   y = x1 + branch(down(gate(gate(m), up(m)))),                             m = norm(x1) or x1
// A branch may be normalised and scaled, heads of q and k normalised, products have biases; turning
// may be left out; x may be what the layer reads times a number.
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
    HW_TRY(found_.input, Attention(middle));
    const Node* const scale = walk_.MakerOrNull(found_.input, Op::kScale);
    if (scale != nullptr && scale->stage == layer) {
      found_.form.input_scale = std::get<graph::ScaleAttributes>(scale->attributes).factor;
      found_.input = scale->inputs[0];
    }
    return walk_.AllVisited(layer);
  }

 private:
  Parts& Of(LayerWeight weight) { return found_.parts[static_cast<size_t>(weight)]; }

  // What a norm of `channels` at a time reads; its gain becomes `weight`.
  Result<ValueId> Norm(const Node& norm, int64_t channels, LayerWeight weight, NormPlace place) {
    const auto& attributes = std::get<graph::RmsNormAttributes>(norm.attributes);
    const ValueId input = norm.inputs[0];
    const int64_t row = graph_.values[static_cast<size_t>(input)].channels;
    const int64_t group = attributes.group == 0 ? row : attributes.group;
    if (group != channels)
      return walk_.Unsupported(norm.output, fmt::format("a norm of {} channels", channels),
                               fmt::format("groups of {}", group));
    if (found_.rms_norm_eps != 0.0F && found_.rms_norm_eps != attributes.eps)
      return walk_.Unsupported(norm.output, fmt::format("eps {}, as before", found_.rms_norm_eps),
                               fmt::format("{}", attributes.eps));
    found_.rms_norm_eps = attributes.eps;
    found_.norms[static_cast<size_t>(place)] = norm.output;
    Of(weight) = {{.weight = &walk_.WeightOf(norm), .num_rows = channels, .is_vector = true}};
    return input;
  }

  int64_t ChannelsOf(ValueId value) const {
    return graph_.values[static_cast<size_t>(value)].channels;
  }

  // What is read by a part of the layer whose products read `value`: the residual stream, `carried`,
  // or its norm.
  Result<void> Reads(ValueId value, ValueId carried, LayerWeight gain, NormPlace place) {
    const Node* const norm = value == carried ? nullptr : walk_.MakerOrNull(value, Op::kRmsNorm);
    if (norm != nullptr) {
      HW_TRY(value, Norm(*norm, ChannelsOf(norm->inputs[0]), gain, place));
    }
    HW_TRY_VOID(walk_.Same(value, carried, "what the residual sum adds to"));
    return Alike(norm != nullptr, &found_.form.norms_before, value, "a norm before products");
  }

  // Attention and feed-forward have one form; the feed-forward is looked at first.
  Result<void> Alike(bool is, bool* noted, ValueId value, const char* what) {
    if (feed_forward_) *noted = is;
    if (*noted == is) return {};
    return walk_.Unsupported(
        value, fmt::format("{}{}, as in the feed-forward", *noted ? "" : "not ", what),
        "otherwise");
  }

  // From what the residual sum adds to the product of `matrix`, which it finds; returns what that
  // reads.
  struct Branch {
    LayerWeight gain;
    NormPlace norm;
    LayerWeight matrix, bias;
    bool mil::LayerForm::*has_bias;
    ValueId LayerParts::*product;
  };
  Result<ValueId> Added(ValueId value, const Branch& branch, const std::string& role) {
    float scale = 1.0F;
    if (const Node* node = walk_.MakerOrNull(value, Op::kScale)) {
      scale = std::get<graph::ScaleAttributes>(node->attributes).factor;
      value = node->inputs[0];
    }
    if (feed_forward_) found_.form.branch_scale = scale;
    if (found_.form.branch_scale != scale)
      return walk_.Unsupported(
          value, fmt::format("the feed-forward's scale, {}", found_.form.branch_scale),
          fmt::format("{}", scale));
    const Node* const norm = walk_.MakerOrNull(value, Op::kRmsNorm);
    HW_TRY_VOID(Alike(norm != nullptr, &found_.form.norms_after, value, "a norm after products"));
    if (norm != nullptr) {
      HW_TRY(value, Norm(*norm, ChannelsOf(value), branch.gain, branch.norm));
    }
    found_.*branch.product = value;
    HW_TRY(const Walk::Projection whole, walk_.Project(value, role));
    if (whole.num_rows != whole.weight->shape.Rows())
      return walk_.Unsupported(value, "all rows of a matrix", "a slice");
    Of(branch.matrix) = {PartOf(whole)};
    found_.form.*branch.has_bias = whole.bias_or_null != nullptr;
    if (whole.bias_or_null != nullptr) Of(branch.bias) = {BiasOf(whole)};
    return whole.input;
  }

  // Returns x1.
  Result<ValueId> FeedForward(ValueId result) {
    feed_forward_ = true;
    HW_TRY(const Walk::Residual sum, walk_.Sum(result, "the feed-forward's residual sum"));
    HW_TRY(found_.hidden,
           Added(sum.added,
                 {LayerWeight::kFfnPostNorm, NormPlace::kFfnOut, LayerWeight::kDown,
                  LayerWeight::kDownBias, &mil::LayerForm::down_bias, &LayerParts::ffn_product},
                 "the feed-forward's second product"));
    HW_TRY(const Node* gate, walk_.Maker(found_.hidden, Op::kGate, "the feed-forward's gate"));
    found_.form.gelu = std::get<graph::GateAttributes>(gate->attributes).activation ==
                       graph::Activation::kGeluTanh;
    HW_TRY(const Walk::Projection gated, walk_.Project(gate->inputs[0], "the gate's product"));
    HW_TRY(const Walk::Projection up, walk_.Project(gate->inputs[1], "the gated product"));
    HW_TRY_VOID(walk_.Same(up.input, gated.input, "what the gate's product reads"));
    Of(LayerWeight::kGateUp) = {PartOf(gated), PartOf(up)};
    Parts biases = {BiasOf(gated), BiasOf(up)};
    found_.form.gate_up_bias = HasBias(biases);
    if (found_.form.gate_up_bias) Of(LayerWeight::kGateUpBias) = std::move(biases);
    HW_TRY_VOID(Reads(gated.input, sum.carried, LayerWeight::kFfnNorm, NormPlace::kFfnIn));
    return sum.carried;
  }

  // Returns x.
  Result<ValueId> Attention(ValueId x1) {
    feed_forward_ = false;
    HW_TRY(const Walk::Residual sum, walk_.Sum(x1, "the attention's residual sum"));
    HW_TRY(found_.heads, Added(sum.added,
                               {LayerWeight::kAttentionPostNorm, NormPlace::kAttentionOut,
                                LayerWeight::kAttentionOut, LayerWeight::kAttentionOutBias,
                                &mil::LayerForm::out_bias, &LayerParts::attention_product},
                               "the attention's output product"));
    HW_TRY(const Node* attention, walk_.Maker(found_.heads, Op::kAttention, "the attention"));
    found_.attention = std::get<graph::AttentionAttributes>(attention->attributes);
    const float scale = 1.0F / std::sqrt(static_cast<float>(found_.attention.head_dim));
    if (found_.attention.scale != scale) found_.form.score_scale = found_.attention.scale;
    found_.form.score_cap = found_.attention.soft_cap;
    found_.form.window = found_.attention.window;
    HW_TRY(const ValueId read, Projections(*attention));
    HW_TRY_VOID(Reads(read, sum.carried, LayerWeight::kAttentionNorm, NormPlace::kAttentionIn));
    return sum.carried;
  }

  // Returns what they read.
  Result<ValueId> Projections(const Node& attention) {
    ValueId input = -1;
    Parts biases;
    for (size_t i = 0; i < 3; ++i) {
      ValueId value = attention.inputs[i];
      const std::string role = std::array{"queries", "keys", "values"}[i];
      if (i < 2) {
        HW_TRY(value, Turned(value, role, i == 0));
        HW_TRY(value, HeadsNormalised(value, i == 0));
      }
      HW_TRY(const Walk::Projection projection, walk_.Project(value, "the product of " + role));
      if (i == 0) input = projection.input;
      HW_TRY_VOID(walk_.Same(projection.input, input, "what the product of queries reads"));
      biases.push_back(BiasOf(projection));
      Of(LayerWeight::kQkv).push_back(PartOf(projection));
      for (WeightPart* part : {&biases.back(), &Of(LayerWeight::kQkv).back()}) {
        if (i < 2) part->paired_dims = PairedDims();
        part->head_dim = found_.attention.head_dim;
      }
    }
    found_.form.qkv_bias = HasBias(biases);
    if (found_.form.qkv_bias) Of(LayerWeight::kQkvBias) = std::move(biases);
    return input;
  }

  int64_t PairedDims() const { return found_.rotary.pairs ? found_.rotary.n_rot : 0; }

  // What rotary turns, if anything; queries and keys alike.
  Result<ValueId> Turned(ValueId value, const std::string& role, bool first) {
    const Node* const node = walk_.MakerOrNull(value, Op::kRotary);
    if (!first && (node != nullptr) != found_.form.rotary)
      return walk_.Unsupported(value, "rotary of queries and keys or of neither", "of one");
    found_.form.rotary = node != nullptr;
    if (node == nullptr) return value;
    const auto& rotary = std::get<graph::RotaryAttributes>(node->attributes);
    if (rotary.head_dim != found_.attention.head_dim)
      return walk_.Unsupported(value, fmt::format("rotary of {} of the attention's heads", role),
                               fmt::format("of heads of {}", rotary.head_dim));
    if (!first && !(rotary == found_.rotary))
      return walk_.Unsupported(value, "the rotary of the queries", "another one");
    found_.rotary = rotary;
    found_.form.rotary_table = rotary.table;
    return node->inputs[0];
  }

  // What is normalised head by head, if anything; queries and keys alike.
  Result<ValueId> HeadsNormalised(ValueId value, bool first) {
    const Node* const norm = walk_.MakerOrNull(value, Op::kRmsNorm);
    if (!first && (norm != nullptr) != found_.form.head_norms)
      return walk_.Unsupported(value, "norms of queries and keys or of neither", "of one");
    found_.form.head_norms = norm != nullptr;
    if (norm == nullptr) return value;
    const LayerWeight weight = first ? LayerWeight::kQueryNorm : LayerWeight::kKeyNorm;
    HW_TRY(value, Norm(*norm, found_.attention.head_dim, weight,
                       first ? NormPlace::kQueries : NormPlace::kKeys));
    Of(weight).front().paired_dims = PairedDims();
    Of(weight).front().head_dim = found_.attention.head_dim;
    return value;
  }

  const Graph& graph_;
  Walk walk_;
  LayerParts& found_;
  bool feed_forward_ = true;  // what is looked at
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
  HeadParts parts;
  HW_TRY(const Node* linear, walk.Maker(g.outputs.front(), Op::kLinear, "the head's product"));
  parts.soft_cap = graph::SoftCapOf(*linear);
  ValueId normed = linear->inputs[0];
  if (const Node* scale = walk.MakerOrNull(normed, Op::kScale)) {
    parts.logit_scale = std::get<graph::ScaleAttributes>(scale->attributes).factor;
    normed = scale->inputs[0];
  }
  HW_TRY(const Node* norm, walk.Maker(normed, Op::kRmsNorm, "the head's norm"));
  HW_TRY_VOID(walk.AllVisited(linear->stage));
  const auto& attributes = std::get<graph::RmsNormAttributes>(norm->attributes);
  if (attributes.group != 0)
    return walk.Unsupported(norm->output, "a norm of whole rows",
                            fmt::format("groups of {}", attributes.group));
  parts.gain = &walk.WeightOf(*norm);
  parts.matrix = &walk.WeightOf(*linear);
  parts.rms_norm_eps = attributes.eps;
  parts.norm = norm->output;
  return parts;
}

std::string StoredName(LayerWeight weight, int64_t layer) {
  constexpr std::array<const char*, kNumLayerWeights> kNames = {
      "g_attn_norm",      "w_qkv",           "w_attn_out", "g_ffn_norm", "w_gate_up", "w_down",
      "g_attn_post_norm", "g_ffn_post_norm", "g_q_norm",   "g_k_norm",   "b_qkv",     "b_attn_out",
      "b_gate_up",        "b_down"};
  return fmt::format("{}_{}", kNames[static_cast<size_t>(weight)], layer);
}

}  // namespace headway::coreml
