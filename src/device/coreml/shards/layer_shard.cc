#include "device/coreml/shards/layer_shard.h"

#include <fmt/format.h>

#include <cmath>

#include "device/coreml/shards/attention.h"
#include "device/coreml/shards/ops.h"

namespace headway::mil {
namespace {

struct MatrixShape {
  LayerWeight weight;
  const char* name;
  int64_t rows, columns;
};

std::vector<MatrixShape> Matrices(const LayerShardSpec& s) {
  const int64_t q = s.num_heads * s.head_dim;
  const int64_t kv = s.num_kv_heads * s.head_dim;
  return {{LayerWeight::kQkv, "qkv", q + 2 * kv, s.hidden_size},
          {LayerWeight::kAttentionOut, "attn_out", s.hidden_size, q},
          {LayerWeight::kGateUp, "gate_up", 2 * s.intermediate_size, s.hidden_size},
          {LayerWeight::kDown, "down", s.hidden_size, s.intermediate_size}};
}

Result<void> CheckSpec(const LayerShardSpec& s) {
  const auto bad = [](std::string message) {
    return Fail(ErrorCode::kInvalidInput, "layer shard: " + std::move(message));
  };
  for (const int64_t extent :
       {s.hidden_size, s.num_heads, s.num_kv_heads, s.head_dim, s.intermediate_size, s.max_seq,
        s.tokens, static_cast<int64_t>(s.num_layers)}) {
    if (extent < 1) return bad(fmt::format("expected extents of at least 1, found {}", extent));
  }
  if (s.num_heads % s.num_kv_heads != 0) {
    return bad(fmt::format("expected heads that are a multiple of {} kv heads, found {}",
                           s.num_kv_heads, s.num_heads));
  }
  if (s.rotary_dims < 2 || s.rotary_dims % 2 != 0 || s.rotary_dims > s.head_dim) {
    return bad(fmt::format("expected an even number of rotary dimensions in [2, {}], found {}",
                           s.head_dim, s.rotary_dims));
  }
  if (s.flexible && s.states == StateLayout::kOutside)
    return bad("expected fixed widths where the cache is outside the program, found a range");
  if (s.flexible && s.tokens < 2) return bad("expected at least 2 tokens with a flexible width");
  return {};
}

class LayerShardBuilder {
 public:
  LayerShardBuilder(const LayerShardSpec& spec, const LayerWeightSource& source, BlobSink* blobs,
                    const ShardOptions& options, Shard* shard)
      : spec_(spec),
        source_(source),
        options_(options),
        f_("CoreML8"),
        target_{f_, *blobs, options.pool, &shard->weights} {}

  Result<Function> Run() {
    norm_.epsilon = spec_.rms_norm_epsilon;
    norm_.prescale = spec_.norm_prescale > 0
                         ? spec_.norm_prescale
                         : 1.0F / std::sqrt(static_cast<float>(spec_.hidden_size));
    const bool single = spec_.tokens == 1 && spec_.states != StateLayout::kOutside;
    const int64_t T = spec_.flexible ? kUnknownDim : spec_.tokens;
    std::string x = f_.Input("x", DType::kF16, {1, spec_.hidden_size, T, 1});
    auto attention =
        single ? MakeSingleTokenAttention(spec_, &f_) : MakeMultiTokenAttention(spec_, &f_);
    for (int i = 0; i < spec_.num_layers; ++i) {
      HW_TRY(x, Layer(i, x, attention.get()));
    }
    attention->Finish();
    f_.Output(x);
    HW_TRY(Function function, f_.Finish());
    return function;
  }

 private:
  Result<std::string> Weight(LayerWeight weight, int layer) {
    for (const MatrixShape& m : Matrices(spec_)) {
      if (m.weight != weight) continue;
      const int model_layer = spec_.first_layer + layer;
      RowSource rows;
      if (source_) {
        rows = [&](int64_t first, std::span<float> out) {
          return source_(weight, model_layer, first, out);
        };
      }
      auto name = EmitWeight(target_,
                             {.name = fmt::format("w_{}_{}", m.name, model_layer),
                              .rows = m.rows,
                              .columns = m.columns},
                             spec_.weights, rows);
      if (!name) return name;
      done_ += m.rows * m.columns;
      if (options_.progress) options_.progress(done_, CountParameters(spec_));
      return name;
    }
    return Fail(ErrorCode::kInvalidInput, "not a matrix");
  }

  Result<std::string> Gain(LayerWeight weight, int layer, const char* name) {
    const int model_layer = spec_.first_layer + layer;
    std::vector<float> values(static_cast<size_t>(spec_.hidden_size));
    if (source_) HW_TRY_VOID(source_(weight, model_layer, 0, values));
    return EmitChannelVector(target_, fmt::format("g_{}_{}", name, model_layer), values);
  }

  // The factor of the first layer's norms: share 1 that of its own input, 0 that of all others.
  ops::RmsNormParams NormOf(int layer, float share) const {
    ops::RmsNormParams norm = norm_;
    if (layer == 0 && spec_.first_norm_prescale > 0)
      norm.prescale *= std::pow(spec_.first_norm_prescale / norm.prescale, share);
    return norm;
  }

  Result<std::string> Layer(int layer, const std::string& x, LayerAttention* attention) {
    const std::string p = fmt::format("l{}_", spec_.first_layer + layer);
    HW_TRY(const std::string attention_gain, Gain(LayerWeight::kAttentionNorm, layer, "attn_norm"));
    const std::string normed =
        ops::RmsNorm(&f_, p + "attn_norm", x, attention_gain, NormOf(layer, 1.0F));
    HW_TRY(const std::string qkv_weight, Weight(LayerWeight::kQkv, layer));
    const std::string qkv = ops::Project(&f_, p + "qkv", normed, qkv_weight);
    const std::string heads = attention->Layer(layer, p, qkv);
    HW_TRY(const std::string out_weight, Weight(LayerWeight::kAttentionOut, layer));
    const std::string projected = ops::Project(&f_, p + "attn_out", heads, out_weight);
    const std::string middle = ops::Add(&f_, p + "attn_residual", x, projected);
    return FeedForward(layer, p, middle);
  }

  Result<std::string> FeedForward(int layer, const std::string& p, const std::string& x) {
    HW_TRY(const std::string gain, Gain(LayerWeight::kFfnNorm, layer, "ffn_norm"));
    const std::string normed = ops::RmsNorm(&f_, p + "ffn_norm", x, gain, NormOf(layer, 0.5F));
    HW_TRY(const std::string up_weight, Weight(LayerWeight::kGateUp, layer));
    const std::string both = ops::Project(&f_, p + "gate_up", normed, up_weight);
    const int64_t F = spec_.intermediate_size;
    const std::string gate = ops::Slice(&f_, p + "gate", both, 1, 0, F);
    const std::string up = ops::Slice(&f_, p + "up", both, 1, F, 2 * F);
    const std::string active = ops::Silu(&f_, p + "silu", gate);
    const std::string product = ops::Mul(&f_, p + "ffn", active, up);
    HW_TRY(const std::string down_weight, Weight(LayerWeight::kDown, layer));
    const std::string down = ops::Project(&f_, p + "down", product, down_weight);
    const bool last = layer + 1 == spec_.num_layers;
    return ops::Add(&f_, last ? std::string("hidden") : p + "hidden", x, down);
  }

  const LayerShardSpec& spec_;
  const LayerWeightSource& source_;
  const ShardOptions& options_;
  FunctionBuilder f_;
  WeightTarget target_;
  ops::RmsNormParams norm_;
  int64_t done_ = 0;
};

}  // namespace

int64_t CountParameters(const LayerShardSpec& spec) {
  int64_t total = 0;
  for (const MatrixShape& m : Matrices(spec)) total += m.rows * m.columns;
  return total * spec.num_layers;
}

Result<Shard> BuildLayerShard(const LayerShardSpec& spec, const LayerWeightSource& source,
                              BlobSink* blobs, const ShardOptions& options) {
  HW_TRY_VOID(CheckSpec(spec));
  Shard shard;
  HW_TRY(Function function, LayerShardBuilder(spec, source, blobs, options, &shard).Run());
  HW_TRY(shard.model, MakeModel(std::move(function), {1, spec.tokens}));
  return shard;
}

}  // namespace headway::mil
