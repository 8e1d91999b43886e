#include "device/coreml/graph_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "device/coreml/layer_parts.h"
#include "tensor/codec.h"

namespace headway::coreml {
namespace {

using graph::Graph;

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

// Rows of a matrix that is made of parts.
Result<void> ReadParts(const std::vector<WeightPart>& parts, const WeightSource& source,
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

Result<mil::LayerShardSpec> SpecOf(const LayerParts& layer, const LoweringOptions& options) {
  const graph::AttentionAttributes& attention = layer.attention;
  if (attention.window != 0 && attention.window < options.max_seq) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("coreml: attention of layer {}: expected a window of at least {} "
                            "positions, found {}; pack with --max-seq {}",
                            attention.layer, options.max_seq, attention.window, attention.window));
  }
  mil::LayerShardSpec spec;
  spec.num_heads = attention.num_heads;
  spec.num_kv_heads = attention.num_kv_heads;
  spec.head_dim = attention.head_dim;
  spec.rotary_dims = layer.rotary.n_rot;
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
  spec.weights = options.weights;
  return spec;
}

}  // namespace

Result<mil::Shard> LowerLayers(const Graph& model, int first_layer, int num_layers,
                               const WeightSource& weights, const LoweringOptions& options,
                               mil::BlobSink* blobs, const mil::ShardOptions& shard_options) {
  std::vector<LayerParts> layers;
  mil::LayerShardSpec spec;
  for (int i = 0; i < num_layers; ++i) {
    HW_TRY(LayerParts parts, FindLayerParts(model, first_layer + i));
    HW_TRY(spec, SpecOf(parts, options));
    if (i > 0 && parts.input != layers.back().output) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("coreml: layer {}: expected the result of the layer before as its "
                      "input, found '{}'",
                      first_layer + i, model.values[static_cast<size_t>(parts.input)].name));
    }
    layers.push_back(std::move(parts));
  }
  spec.first_layer = first_layer;
  spec.num_layers = num_layers;
  mil::LayerWeightSource source;
  if (weights) {
    source = [&](mil::LayerWeight weight, int layer, int64_t first_row, std::span<float> out) {
      return ReadParts(layers[static_cast<size_t>(layer - first_layer)].Of(weight), weights,
                       first_row, out);
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
  spec.norm_prescale = options.norm_prescale;
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
