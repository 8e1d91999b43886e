#include "model/model_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace headway::model {

namespace {

template <class T>
bool Has(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

graph::WeightId ModelBuilder::Weight(const std::string& name, const Shape& shape) {
  const std::string full_name = prefix_ + name;
  const auto type = tensors_({.name = full_name, .shape = shape});
  // After an error the weight only keeps the builder going: Finish returns the error.
  if (!type && !error_) error_ = type.error();
  return builder_.AddWeight(
      {.name = full_name, .type = type.value_or(DataType::kF32), .shape = shape, .row_begin = 0});
}

ValueId ModelBuilder::Embedding() {
  builder_.SetStage(-1);
  const ValueId ids = builder_.TokenIds("ids");
  const auto table = Weight("token_embd.weight", Shape{config_.vocab_size, config_.hidden_size});
  return builder_.Embedding("embedding", ids, table);
}

void ModelBuilder::BeginLayer(int64_t layer) {
  layer_ = layer;
  prefix_ = fmt::format("blk.{}.", layer);
  builder_.SetStage(layer);
}

void ModelBuilder::Head(ValueId x) {
  prefix_ = "";
  builder_.SetStage(config_.num_hidden_layers);
  // Before the product: a head's shards end in products alone.
  const ValueId n = Scale("logit_scale", Norm("output_norm", x), config_.logit_scale);
  const char* table = config_.tie_word_embeddings ? "token_embd" : "output";
  const auto matrix =
      Weight(fmt::format("{}.weight", table), Shape{config_.vocab_size, builder_.Channels(n)});
  builder_.Output(builder_.Linear("logits", n, matrix, config_.logit_soft_cap));
}

ValueId ModelBuilder::NormBy(const std::string& name, ValueId x, int64_t channels) {
  return builder_.RmsNorm(prefix_ + name, x, Weight(name + ".weight", Shape{channels}),
                          config_.rms_norm_eps);
}

ValueId ModelBuilder::Norm(const std::string& name, ValueId x) {
  return NormBy(name, x, builder_.Channels(x));
}

ValueId ModelBuilder::HeadNorm(const std::string& name, ValueId x) {
  return NormBy(name, x, config_.head_dim);
}

ValueId ModelBuilder::Linear(const std::string& name, ValueId x, const std::string& tensor,
                             int64_t rows) {
  const auto matrix = Weight(tensor + ".weight", Shape{rows, builder_.Channels(x)});
  if (!Has(config_.biases, tensor)) return builder_.Linear(prefix_ + name, x, matrix);
  const ValueId product = builder_.Linear(prefix_ + name + "_product", x, matrix);
  return builder_.Bias(prefix_ + name, product, Weight(tensor + ".bias", Shape{rows}));
}

ValueId ModelBuilder::Slice(const std::string& name, ValueId x, int64_t begin, int64_t end) {
  return builder_.Slice(prefix_ + name, x, begin, end);
}

int64_t ModelBuilder::Window() const {
  return Has(config_.global_layers, layer_) ? 0 : config_.sliding_window;
}

ValueId ModelBuilder::Rotary(const std::string& name, ValueId x) {
  if (Has(config_.unrotated_layers, layer_)) return x;
  const bool local = config_.NumRotaryTables() > 1 && !Has(config_.global_layers, layer_);
  return builder_.Rotary(prefix_ + name, x,
                         {.pairs = config_.rope_pairs,
                          .n_rot = config_.rotary_dim,
                          .head_dim = config_.head_dim,
                          .table = local ? 1 : 0});
}

ValueId ModelBuilder::Attention(const std::string& name, ValueId q, ValueId k, ValueId v) {
  const float usual = 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  return builder_.Attention(
      prefix_ + name, q, k, v,
      {.layer = layer_,
       .num_heads = config_.num_attention_heads,
       .num_kv_heads = config_.num_key_value_heads,
       .head_dim = config_.head_dim,
       .window = Window(),
       .scale = config_.attention_scale == 0.0F ? usual : config_.attention_scale,
       .soft_cap = config_.attention_soft_cap});
}

ValueId ModelBuilder::Gate(const std::string& name, Activation activation, ValueId gate,
                           ValueId up) {
  return builder_.Gate(prefix_ + name, activation, gate, up);
}

ValueId ModelBuilder::Add(const std::string& name, ValueId x, ValueId y) {
  return builder_.Add(prefix_ + name, x, y);
}

ValueId ModelBuilder::Scale(const std::string& name, ValueId x, float factor) {
  if (factor == 1.0F) return x;
  return builder_.Scale(prefix_ + name, x, factor);
}

Result<graph::Graph> ModelBuilder::Finish() {
  if (error_) return tl::unexpected<Error>(*error_);
  return builder_.Finish();
}

}  // namespace headway::model
