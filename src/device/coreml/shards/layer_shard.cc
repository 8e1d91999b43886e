#include "device/coreml/shards/layer_shard.h"

#include <fmt/format.h>

#include <algorithm>
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
  if (!s.forms.empty() && s.forms.size() != static_cast<size_t>(s.num_layers))
    return bad(fmt::format("expected a form of each of {} layers, found {}", s.num_layers,
                           s.forms.size()));
  for (const LayerForm& form : s.forms) {
    if (!form.norms_before && !form.norms_after)
      return bad("expected norms before or after attention and feed-forward, found none");
    const bool scaled = s.residual_scale != 1.0F;
    if (scaled && !form.norms_before && (!form.head_norms || form.qkv_bias || form.gate_up_bias))
      return bad(
          "expected head norms and no biases where projections read a scaled residual "
          "stream, found others");
    if ((form.out_bias && (form.factors.heads != 1.0F || (scaled && !form.norms_before))) ||
        (form.down_bias && (form.factors.hidden != 1.0F || (scaled && !form.norms_before))))
      return bad("expected no factor before products with a bias, found one");
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
    bool single = spec_.tokens == 1 && spec_.states != StateLayout::kOutside;
    for (int i = 0; i < spec_.num_layers; ++i)
      single = single && spec_.FormOf(i).HasPlainAttention();
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

  // A vector of `count` numbers, as a const of these extents.
  Result<std::string> Vector(LayerWeight weight, int layer, const char* name, const Dims& dims) {
    const int model_layer = spec_.first_layer + layer;
    std::vector<float> values(static_cast<size_t>(NumElements(dims).value_or(0)));
    if (source_) HW_TRY_VOID(source_(weight, model_layer, 0, values));
    return EmitVector(target_, fmt::format("{}_{}", name, model_layer), dims, values);
  }
  Result<std::string> Gain(LayerWeight weight, int layer, const char* name) {
    return Vector(weight, layer, name, {1, spec_.hidden_size, 1, 1});
  }

  // The product of a matrix, and its bias where the layer has one.
  struct Product {
    LayerWeight matrix, bias;
    bool has_bias;
    const char* name;
  };
  Result<std::string> Multiply(const Product& product, int layer, const std::string& x) {
    HW_TRY(const std::string matrix, Weight(product.matrix, layer));
    std::string bias;
    if (product.has_bias) {
      const std::string name = fmt::format("b_{}", product.name);
      HW_TRY(bias, Vector(product.bias, layer, name.c_str(), {f_.TypeOf(matrix).dims[0]}));
    }
    const std::string p = fmt::format("l{}_", spec_.first_layer + layer);
    return ops::Project(&f_, p + product.name, x, matrix, bias);
  }

  // The norm of the residual stream, or of what is added to it: the factor that was asked for, else
  // the one chosen for the norm, else that of all, but in the first layer one nearer to that of an
  // embedding: `share` 1: its own input is one.
  ops::RmsNormParams NormOf(int layer, NormPlace place, float share) const {
    ops::RmsNormParams norm = norm_;
    const float chosen = spec_.FormOf(layer).factors.prescales[static_cast<size_t>(place)];
    if (spec_.norm_prescale > 0) return norm;
    if (chosen > 0) {
      norm.prescale = chosen;
    } else if (layer == 0 && spec_.first_norm_prescale > 0) {
      norm.prescale *= std::pow(spec_.first_norm_prescale / norm.prescale, share);
    }
    // The embedding's own factor holds for all of its rows, not only those that were read.
    if (layer == 0 && share == 1.0F && spec_.first_norm_prescale > 0)
      norm.prescale = std::min(norm.prescale, spec_.first_norm_prescale);
    return norm;
  }

  // x times `factor`, which mostly is 1.
  std::string Scaled(const std::string& name, const std::string& x, float factor) {
    return factor == 1.0F ? x : ops::Mul(&f_, name, x, HalfConstant(factor));
  }

  // A norm of the residual stream before attention or feed-forward, or of what they add behind them.
  struct Branch {
    NormPlace norm;
    LayerWeight gain;
    const char* gain_name;
    const char* name;  // of the result
  };

  // What attention or feed-forward read: the residual stream, normalised where norms come before.
  // `share`: NormOf().
  Result<std::string> Read(int layer, const Branch& branch, const std::string& x, float share) {
    if (!spec_.FormOf(layer).norms_before) return x;
    HW_TRY(const std::string gain, Gain(branch.gain, layer, branch.gain_name));
    ops::RmsNormParams norm = NormOf(layer, branch.norm, share);
    norm.input_scale = spec_.residual_scale;
    const std::string p = fmt::format("l{}_", spec_.first_layer + layer);
    return ops::RmsNorm(&f_, p + branch.name, x, gain, norm);
  }

  // What they add: `product` holds it times `scale`.
  Result<std::string> Added(int layer, const Branch& branch, const std::string& product,
                            float scale) {
    const LayerForm form = spec_.FormOf(layer);
    const std::string p = fmt::format("l{}_", spec_.first_layer + layer);
    const float wanted = form.branch_scale * spec_.residual_scale;
    if (!form.norms_after) return Scaled(p + branch.name, product, wanted / scale);
    HW_TRY(const std::string gain, Gain(branch.gain, layer, branch.gain_name));
    ops::RmsNormParams norm = NormOf(layer, branch.norm, 0.0F);
    norm.input_scale = scale;
    norm.output_scale = wanted;
    return ops::RmsNorm(&f_, p + branch.name, product, gain, norm);
  }

  Result<std::string> Layer(int layer, const std::string& given, LayerAttention* attention) {
    const LayerForm form = spec_.FormOf(layer);
    const std::string p = fmt::format("l{}_", spec_.first_layer + layer);
    const std::string x = Scaled(p + "input", given, form.input_scale);
    // Projections of the residual stream itself carry its scale.
    AttentionInput input{.scale = form.norms_before ? 1.0F : spec_.residual_scale};
    HW_TRY(const std::string read,
           Read(layer,
                {NormPlace::kAttentionIn, LayerWeight::kAttentionNorm, "g_attn_norm", "attn_norm"},
                x, 1.0F));
    HW_TRY(input.qkv,
           Multiply({LayerWeight::kQkv, LayerWeight::kQkvBias, form.qkv_bias, "qkv"}, layer, read));
    if (form.head_norms) {
      const Dims dims = {1, 1, spec_.head_dim, 1};
      HW_TRY(input.query_gain, Vector(LayerWeight::kQueryNorm, layer, "g_q_norm", dims));
      HW_TRY(input.key_gain, Vector(LayerWeight::kKeyNorm, layer, "g_k_norm", dims));
    }
    const std::string mixed = attention->Layer(layer, p, input);
    const std::string heads = Scaled(p + "heads_scaled", mixed, form.factors.heads);
    HW_TRY(const std::string projected,
           Multiply({LayerWeight::kAttentionOut, LayerWeight::kAttentionOutBias, form.out_bias,
                     "attn_out"},
                    layer, heads));
    HW_TRY(const std::string added,
           Added(layer,
                 {NormPlace::kAttentionOut, LayerWeight::kAttentionPostNorm, "g_attn_post_norm",
                  "attn_added"},
                 projected, input.scale * form.factors.heads));
    return FeedForward(layer, p, ops::Add(&f_, p + "attn_residual", x, added));
  }

  Result<std::string> FeedForward(int layer, const std::string& p, const std::string& x) {
    const LayerForm form = spec_.FormOf(layer);
    const float scale = form.norms_before ? 1.0F : spec_.residual_scale;
    HW_TRY(
        const std::string read,
        Read(layer, {NormPlace::kFfnIn, LayerWeight::kFfnNorm, "g_ffn_norm", "ffn_norm"}, x, 0.5F));
    HW_TRY(const std::string both,
           Multiply({LayerWeight::kGateUp, LayerWeight::kGateUpBias, form.gate_up_bias, "gate_up"},
                    layer, read));
    const int64_t F = spec_.intermediate_size;
    const std::string gate = ops::Slice(&f_, p + "gate", both, 1, 0, F);
    const std::string up = ops::Slice(&f_, p + "up", both, 1, F, 2 * F);
    const std::string own = Scaled(p + "gate_unscaled", gate, 1.0F / scale);
    const std::string active =
        form.gelu ? ops::Gelu(&f_, p + "gelu", own) : ops::Silu(&f_, p + "silu", own);
    const std::string small = Scaled(p + "gate_scaled", active, form.factors.hidden);
    const std::string product = ops::Mul(&f_, p + "ffn", small, up);
    HW_TRY(const std::string down,
           Multiply({LayerWeight::kDown, LayerWeight::kDownBias, form.down_bias, "down"}, layer,
                    product));
    HW_TRY(const std::string added,
           Added(layer,
                 {NormPlace::kFfnOut, LayerWeight::kFfnPostNorm, "g_ffn_post_norm", "ffn_added"},
                 down, scale * form.factors.hidden));
    const bool last = layer + 1 == spec_.num_layers;
    return ops::Add(&f_, last ? std::string("hidden") : p + "hidden", x, added);
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

std::string RotaryInput(std::string_view function, int64_t table) {
  return table == 0 ? fmt::format("rope_{}", function) : fmt::format("rope_{}_{}", function, table);
}

std::string MaskInput(int64_t window) {
  return window == 0 ? "attn_mask" : fmt::format("attn_mask_w{}", window);
}

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
