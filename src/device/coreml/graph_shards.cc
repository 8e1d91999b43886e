#include "device/coreml/graph_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "device/coreml/half_range.h"
#include "device/coreml/layer_parts.h"
#include "tensor/codec.h"

namespace headway::coreml {
namespace {

using graph::Graph;
using graph::ValueId;

// Rows of a stored matrix as floats, counted as the graph counts them; a vector is one row.
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

// A vector that is made of parts.
Result<void> ReadVector(const std::vector<WeightPart>& parts, const WeightSource& source,
                        std::span<float> out) {
  int64_t first = 0;
  for (const WeightPart& part : parts) {
    const auto own = out.subspan(static_cast<size_t>(first), static_cast<size_t>(part.num_rows));
    first += part.num_rows;
    if (part.weight == nullptr) {
      std::fill(own.begin(), own.end(), 0.0F);
      continue;
    }
    std::vector<float> all(static_cast<size_t>(part.weight->shape.Columns()));
    HW_TRY_VOID(ReadRows(*part.weight, source, 0, all));
    for (size_t i = 0; i < own.size(); ++i)
      own[i] = all[static_cast<size_t>(part.SourceRow(static_cast<int64_t>(i)))];
  }
  return {};
}

// Rows of a matrix that is made of parts.
Result<void> ReadMatrix(const std::vector<WeightPart>& parts, const WeightSource& source,
                        int64_t first_row, std::span<float> out) {
  const auto width = static_cast<size_t>(parts.front().weight->shape.Columns());
  int64_t part_begin = 0;
  int64_t row = first_row;
  for (const WeightPart& part : parts) {
    for (; !out.empty() && row < part_begin + part.num_rows; ++row) {
      // In one piece where the rows stay in order.
      const int64_t run = part.paired_dims > 0 ? 1
                                               : std::min(part_begin + part.num_rows - row,
                                                          static_cast<int64_t>(out.size() / width));
      const std::span<float> piece = out.first(static_cast<size_t>(run) * width);
      HW_TRY_VOID(ReadRows(*part.weight, source, part.SourceRow(row - part_begin), piece));
      out = out.subspan(piece.size());
      row += run - 1;
    }
    part_begin += part.num_rows;
  }
  return {};
}

// The factor before the squares of a norm; 0: as usual.
float PrescaleOf(const LoweringOptions& options, const Graph& model, ValueId norm) {
  if (options.ranges == nullptr || norm < 0) return 0;
  return PrescaleFor(options.ranges->LengthBefore(model.values[static_cast<size_t>(norm)].name));
}

float LargestOf(const LoweringOptions& options, const Graph& model, ValueId value) {
  if (options.ranges == nullptr || value < 0) return 0;
  return options.ranges->Largest(model.values[static_cast<size_t>(value)].name);
}

// What keeps the layer's values inside fp16.
mil::LayerFactors FactorsOf(const Graph& model, const LayerParts& layer,
                            const LoweringOptions& options) {
  mil::LayerFactors factors;
  for (size_t i = 0; i < mil::kNumNormPlaces; ++i)
    factors.prescales[i] = PrescaleOf(options, model, layer.norms[i]);
  // Projections of the residual stream itself carry its scale.
  const float carried = layer.form.norms_before ? 1.0F : options.residual_scale;
  const auto product = [&](ValueId read, ValueId result, bool has_bias) {
    if (has_bias) return 1.0F;
    const float most =
        carried * std::max(LargestOf(options, model, read), LargestOf(options, model, result));
    // What is not normalised before it is added needs the residual stream's own, at least.
    const float added = layer.form.norms_after ? 1.0F : options.residual_scale;
    return std::min(ScaleFor(most), added);
  };
  factors.heads = product(layer.heads, layer.attention_product, layer.form.out_bias);
  factors.hidden = product(layer.hidden, layer.ffn_product, layer.form.down_bias);
  return factors;
}

// Values that no factor keeps inside fp16 must not come near its end.
Result<void> CheckReach(const Graph& model, const LayerParts& layer, int64_t number,
                        const LoweringOptions& options) {
  for (const graph::Node& node : model.nodes) {
    const ValueId value = node.output;
    const bool has_factor =
        node.op == graph::Op::kAdd || node.op == graph::Op::kScale || value == layer.heads ||
        value == layer.attention_product || value == layer.hidden || value == layer.ffn_product ||
        value == layer.norms[static_cast<size_t>(mil::NormPlace::kAttentionOut)] ||
        value == layer.norms[static_cast<size_t>(mil::NormPlace::kFfnOut)];
    if (node.stage != number || has_factor) continue;
    const float largest = LargestOf(options, model, value);
    if (largest <= kMostUnscaled) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("coreml: value '{}': expected at most {}, half of what 16-bit floats "
                            "hold, found {:.3g}; no factor applies to it",
                            model.values[static_cast<size_t>(value)].name, kMostUnscaled, largest));
  }
  return {};
}

mil::LayerShardSpec SpecOf(const LayerParts& layer, const LoweringOptions& options) {
  const graph::AttentionAttributes& attention = layer.attention;
  mil::LayerShardSpec spec;
  spec.num_heads = attention.num_heads;
  spec.num_kv_heads = attention.num_kv_heads;
  spec.head_dim = attention.head_dim;
  spec.rotary_dims = layer.form.rotary ? layer.rotary.n_rot : attention.head_dim;
  spec.hidden_size = layer.Of(mil::LayerWeight::kQkv).front().weight->shape.Columns();
  spec.intermediate_size = layer.Of(mil::LayerWeight::kDown).front().weight->shape.Columns();
  spec.rms_norm_epsilon = layer.rms_norm_eps;
  spec.max_seq = options.max_seq;
  spec.tokens = options.tokens;
  spec.flexible = options.flexible;
  spec.states = options.states;
  spec.attention = options.attention;
  spec.norm_prescale = options.norm_prescale;
  spec.first_norm_prescale = options.first_norm_prescale;
  spec.residual_scale = options.residual_scale;
  spec.weights = options.weights;
  return spec;
}

// What all layers of a shard must have alike.
Result<void> CheckAlike(const mil::LayerShardSpec& first, const mil::LayerShardSpec& other,
                        int64_t layer) {
  const auto sizes = [](const mil::LayerShardSpec& s) {
    return std::array{s.num_heads,   s.num_kv_heads, s.head_dim,
                      s.rotary_dims, s.hidden_size,  s.intermediate_size};
  };
  if (sizes(first) == sizes(other) && first.rms_norm_epsilon == other.rms_norm_epsilon) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("coreml: layer {}: expected the sizes of the shard's first layer, found "
                          "others",
                          layer));
}

}  // namespace

Result<mil::Shard> LowerLayers(const Graph& model, int first_layer, int num_layers,
                               const WeightSource& weights, const LoweringOptions& options,
                               mil::BlobSink* blobs, const mil::ShardOptions& shard_options) {
  std::vector<LayerParts> layers;
  std::vector<mil::LayerForm> forms;
  std::optional<mil::LayerShardSpec> first;
  for (int i = 0; i < num_layers; ++i) {
    HW_TRY(LayerParts parts, FindLayerParts(model, first_layer + i));
    mil::LayerShardSpec spec = SpecOf(parts, options);
    if (i > 0 && parts.input != layers.back().output) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("coreml: layer {}: expected the result of the layer before as its "
                      "input, found '{}'",
                      first_layer + i, model.values[static_cast<size_t>(parts.input)].name));
    }
    if (!first) {
      first = spec;
      // The factor was found for the embedding; the first norm reads it scaled.
      first->first_norm_prescale /= parts.form.input_scale;
    }
    // Sizes of layers that do not turn are whatever those of the others are.
    if (!parts.form.rotary) spec.rotary_dims = first->rotary_dims;
    if (i > 0 && !layers.front().form.rotary && parts.form.rotary)
      first->rotary_dims = spec.rotary_dims;
    HW_TRY_VOID(CheckAlike(*first, spec, first_layer + i));
    HW_TRY_VOID(CheckReach(model, parts, first_layer + i, options));
    parts.form.factors = FactorsOf(model, parts, options);
    if (parts.form.window >= options.max_seq) parts.form.window = 0;  // sees all there is
    forms.push_back(parts.form);
    layers.push_back(std::move(parts));
  }
  mil::LayerShardSpec& spec = *first;
  spec.first_layer = first_layer;
  spec.num_layers = num_layers;
  spec.forms = std::move(forms);
  mil::LayerWeightSource source;
  if (weights) {
    source = [&](mil::LayerWeight weight, int layer, int64_t first_row, std::span<float> out) {
      const auto& parts = layers[static_cast<size_t>(layer - first_layer)].Of(weight);
      return parts.front().is_vector ? ReadVector(parts, weights, out)
                                     : ReadMatrix(parts, weights, first_row, out);
    };
  }
  return mil::BuildLayerShard(spec, source, blobs, shard_options);
}

Result<mil::Shard> LowerHead(const Graph& model, int64_t vocab_begin, int64_t vocab_end,
                             HeadForm form, const WeightSource& weights,
                             const LoweringOptions& options, mil::BlobSink* blobs,
                             const mil::ShardOptions& shard_options) {
  HW_TRY(const HeadParts head, FindHeadParts(model));
  if (vocab_end > head.matrix->shape.Rows()) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("coreml: expected head rows below {}, found {}",
                            head.matrix->shape.Rows(), vocab_end));
  }
  mil::HeadShardSpec spec;
  spec.hidden_size = head.matrix->shape.Columns();
  spec.vocab_begin = vocab_begin;
  spec.vocab_end = vocab_end;
  spec.form = form;
  spec.tokens = options.tokens;
  spec.flexible = options.flexible;
  spec.rms_norm_epsilon = head.rms_norm_eps;
  spec.norm_prescale =
      options.norm_prescale > 0 ? options.norm_prescale : PrescaleOf(options, model, head.norm);
  spec.residual_scale = options.residual_scale;
  spec.logit_scale = head.logit_scale;
  spec.soft_cap = head.soft_cap;
  spec.splits = form == HeadForm::kFull ? options.head_splits : 1;
  spec.weights = options.weights;
  std::vector<float> gain(static_cast<size_t>(spec.hidden_size));
  mil::RowSource rows;
  if (weights) {
    HW_TRY_VOID(ReadRows(*head.gain, weights, 0, gain));
    rows = [&](int64_t first, std::span<float> out) {
      return ReadRows(*head.matrix, weights, first, out);
    };
  }
  return mil::BuildHeadShard(spec, gain, rows, blobs, shard_options);
}

}  // namespace headway::coreml
