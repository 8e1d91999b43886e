#include <fmt/format.h>

#include <cmath>

#include "mil/shards/attention.h"
#include "mil/shards/ops.h"

namespace headway::mil {
namespace {

using namespace ops;  // NOLINT(google-build-using-namespace): this file is a list of ops

// One token a step, op for op the published structure; heads are rank-3 values [1, heads, d].
class SingleTokenAttention final : public LayerAttention {
 public:
  SingleTokenAttention(const LayerShardSpec& spec, FunctionBuilder* f) : s_(spec), f_(f) {
    const std::string cos = f->Input("rope_cos", DType::kF16, {1, spec.rotary_dims / 2});
    const std::string sin = f->Input("rope_sin", DType::kF16, {1, spec.rotary_dims / 2});
    mask_ = f->Input("attn_mask", DType::kF16, {1, 1, 1, spec.max_seq});
    write_ = f->Input("kv_write_mask", DType::kF16, {1, 1, spec.max_seq, 1});
    cache_ = std::make_unique<CacheStates>(spec, f);
    keep_ = Sub(f, "kv_keep", HalfConstant(1.0F), write_);
    cos_ = ExpandDims(f, "cos", cos, 0);  // [1, 1, R/2]
    sin_ = ExpandDims(f, "sin", sin, 0);
  }

  std::string Layer(int layer, const std::string& p, const std::string& qkv) override {
    const int64_t q_width = s_.num_heads * s_.head_dim;
    const int64_t kv_width = s_.num_kv_heads * s_.head_dim;
    const std::string flat = Squeeze(f_, p + "qkv_flat", Squeeze(f_, p + "qkv_3d", qkv, 3), 2);
    const std::string q = Slice(f_, p + "q", flat, 1, 0, q_width);
    const std::string k = Slice(f_, p + "k", flat, 1, q_width, q_width + kv_width);
    const std::string v = Slice(f_, p + "v", flat, 1, q_width + kv_width, q_width + 2 * kv_width);
    const std::string q_turned = Rotate(p + "q_", q, s_.num_heads);
    const std::string k_turned = Rotate(p + "k_", k, s_.num_kv_heads);
    const Dims row = {1, s_.num_kv_heads, 1, s_.head_dim};
    const std::string keys = Store(true, layer, p, Reshape(f_, p + "k_row", k_turned, row));
    const std::string values = Store(false, layer, p, Reshape(f_, p + "v_row", v, row));
    const std::string heads = s_.attention == AttentionForm::kPerHead
                                  ? PerHead(p, q_turned, keys, values)
                                  : Batched(p, q_turned, keys, values);
    return Reshape(f_, p + "heads", heads, {1, q_width, 1, 1});
  }

  void Finish() override { cache_->Finish(); }

 private:
  // Rotary embedding of [1, heads * d]: halves (lo, hi) become (lo cos - hi sin, hi cos + lo sin);
  // dimensions past R pass. Twelve ops, ten when all dimensions turn. Result [1, heads, d].
  std::string Rotate(const std::string& p, const std::string& x, int64_t heads) {
    const int64_t R = s_.rotary_dims;
    const std::string split = Reshape(f_, p + "split", x, {1, heads, s_.head_dim});
    std::string turning = split;
    std::string passing;
    if (R < s_.head_dim) {
      turning = Slice(f_, p + "rot", split, 2, 0, R);
      passing = Slice(f_, p + "pass", split, 2, R, s_.head_dim);
    }
    const std::string lo = Slice(f_, p + "lo", turning, 2, 0, R / 2);
    const std::string hi = Slice(f_, p + "hi", turning, 2, R / 2, R);
    const std::string new_lo =
        Sub(f_, p + "lo_turned", Mul(f_, p + "lo_cos", lo, cos_), Mul(f_, p + "hi_sin", hi, sin_));
    const std::string new_hi =
        Add(f_, p + "hi_turned", Mul(f_, p + "hi_cos", hi, cos_), Mul(f_, p + "lo_sin", lo, sin_));
    std::vector<std::string> parts = {new_lo, new_hi};
    if (!passing.empty()) parts.push_back(passing);
    return Concat(f_, p + "turned", parts, 2);
  }

  // cache * (1 - mask) + row * mask, written back. Six ops with the read and the update; [1, Hk, S,
  // d].
  std::string Store(bool keys, int layer, const std::string& p, const std::string& row) {
    const std::string n = p + (keys ? "k_cache_" : "v_cache_");
    const std::string old = cache_->Read(keys, layer, p);
    const std::string kept = Mul(f_, n + "kept", old, keep_);
    const std::string added = Mul(f_, n + "added", row, write_);
    const std::string blended = Add(f_, n + "blended", kept, added);
    return cache_->Write(keys, layer, p, old, blended);
  }

  std::string Scores(const std::string& p, const std::string& q, const std::string& k) {
    const std::string products = MatMul(f_, p + "qk", q, k, false, true);
    const float scale = 1.0F / std::sqrt(static_cast<float>(s_.head_dim));
    const std::string scaled = Mul(f_, p + "scaled", products, HalfConstant(scale));
    const std::string masked = Add(f_, p + "masked", scaled, mask_);
    return Softmax(f_, p + "softmax", masked, -1);
  }

  // Ten ops a KV head and a concat: [1, H, d].
  std::string PerHead(const std::string& p, const std::string& q, const std::string& keys,
                      const std::string& values) {
    const int64_t group = s_.num_heads / s_.num_kv_heads;
    std::vector<std::string> outs;
    for (int64_t h = 0; h < s_.num_kv_heads; ++h) {
      const std::string n = fmt::format("{}h{}_", p, h);
      const std::string q_group = Slice(f_, n + "q", q, 1, h * group, (h + 1) * group);
      const std::string k = Slice(f_, n + "k", keys, 1, h, h + 1);
      const std::string v = Slice(f_, n + "v", values, 1, h, h + 1);
      const std::string q4 = ExpandDims(f_, n + "q4", q_group, 1);  // [1, 1, group, d]
      const std::string weights = Scores(n, q4, k);
      const std::string mixed = MatMul(f_, n + "mixed", weights, v, false, false);
      outs.push_back(Squeeze(f_, n + "out", mixed, 1));
    }
    return Concat(f_, p + "joined", outs, 1);
  }

  // All KV heads at once: reshape, five ops.
  std::string Batched(const std::string& p, const std::string& q, const std::string& keys,
                      const std::string& values) {
    const int64_t group = s_.num_heads / s_.num_kv_heads;
    const std::string q4 = Reshape(f_, p + "q4", q, {1, s_.num_kv_heads, group, s_.head_dim});
    return MatMul(f_, p + "mixed", Scores(p, q4, keys), values, false, false);
  }

  const LayerShardSpec& s_;
  FunctionBuilder* f_;
  std::string mask_, write_, keep_, cos_, sin_;
  std::unique_ptr<CacheStates> cache_;
};

}  // namespace

std::unique_ptr<LayerAttention> MakeSingleTokenAttention(const LayerShardSpec& spec,
                                                         FunctionBuilder* f) {
  return std::make_unique<SingleTokenAttention>(spec, f);
}

}  // namespace headway::mil
