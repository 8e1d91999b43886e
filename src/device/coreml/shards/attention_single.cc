#include <fmt/format.h>

#include "device/coreml/shards/cached_attention.h"
#include "device/coreml/shards/ops.h"

namespace headway::mil {
namespace {

using namespace ops;  // NOLINT(google-build-using-namespace): this file is a list of ops

// One token a step, op for op the published structure; heads are rank-3 values [1, heads, d].
class SingleTokenAttention final : public CachedAttention {
 public:
  SingleTokenAttention(const LayerShardSpec& spec, FunctionBuilder* f) : CachedAttention(spec, f) {
    const std::string cos = f->Input("rope_cos", DType::kF16, {1, spec.rotary_dims / 2});
    const std::string sin = f->Input("rope_sin", DType::kF16, {1, spec.rotary_dims / 2});
    mask_ = f->Input("attn_mask", DType::kF16, {1, 1, 1, spec.max_seq});
    write_ = f->Input("kv_write_mask", DType::kF16, {1, 1, spec.max_seq, 1});
    cache_ = std::make_unique<CacheStates>(spec, f);
    keep_ = Sub(f, "kv_keep", HalfConstant(1.0F), write_);
    cos_ = ExpandDims(f, "cos", cos, 0);  // [1, 1, R/2]
    sin_ = ExpandDims(f, "sin", sin, 0);
  }

  std::string Layer(int layer, const std::string& p, const AttentionInput& input) override {
    form_ = s_.FormOf(layer);
    const int64_t q_width = QueryWidth();
    const int64_t kv_width = KvWidth();
    const std::string flat =
        Squeeze(f_, p + "qkv_flat", Squeeze(f_, p + "qkv_3d", input.qkv, 3), 2);
    const std::string q = Slice(f_, p + "q", flat, 1, 0, q_width);
    const std::string k = Slice(f_, p + "k", flat, 1, q_width, q_width + kv_width);
    const std::string v = Slice(f_, p + "v", flat, 1, q_width + kv_width, q_width + 2 * kv_width);
    const std::string q_turned = RotateFlat(p + "q_", q, s_.num_heads);
    const std::string k_turned = RotateFlat(p + "k_", k, s_.num_kv_heads);
    const Dims row = {1, s_.num_kv_heads, 1, s_.head_dim};
    const std::string keys = Store(true, layer, p, Reshape(f_, p + "k_row", k_turned, row));
    const std::string values = Store(false, layer, p, Reshape(f_, p + "v_row", v, row));
    const std::string heads = Mix(p, q_turned, keys, values);
    return Reshape(f_, p + "heads", heads, {1, q_width, 1, 1});
  }

 private:
  // [1, heads * d] to [1, heads, d], turned. Twelve ops, ten when all channels turn.
  std::string RotateFlat(const std::string& p, const std::string& x, int64_t heads) {
    return Rotate(p, Reshape(f_, p + "split", x, {1, heads, s_.head_dim}), p + "turned");
  }

  // row * mask: [1, Hk, 1, d] by [1, 1, S, 1].
  std::string Added(const std::string& name, const std::string& fresh) override {
    return Mul(f_, name, fresh, write_);
  }

  // Ten ops a KV head and a concat: [1, H, d].
  std::string PerHead(const std::string& p, const std::string& q, const std::string& keys,
                      const std::string& values) override {
    const int64_t group = Group();
    std::vector<std::string> outs;
    for (int64_t h = 0; h < s_.num_kv_heads; ++h) {
      const std::string n = fmt::format("{}h{}_", p, h);
      const std::string q_group = Slice(f_, n + "q", q, 1, h * group, (h + 1) * group);
      const std::string k = Slice(f_, n + "k", keys, 1, h, h + 1);
      const std::string v = Slice(f_, n + "v", values, 1, h, h + 1);
      const std::string q4 = ExpandDims(f_, n + "q4", q_group, 1);  // [1, 1, group, d]
      const std::string weights = Scores(n, q4, k, false);
      const std::string mixed = MatMul(f_, n + "mixed", weights, v, false, false);
      outs.push_back(Squeeze(f_, n + "out", mixed, 1));
    }
    return Concat(f_, p + "joined", outs, 1);
  }

  // All KV heads at once: reshape, five ops.
  std::string Batched(const std::string& p, const std::string& q, const std::string& keys,
                      const std::string& values) override {
    const int64_t group = Group();
    const std::string q4 = Reshape(f_, p + "q4", q, {1, s_.num_kv_heads, group, s_.head_dim});
    return MatMul(f_, p + "mixed", Scores(p, q4, keys, false), values, false, false);
  }
};

}  // namespace

std::unique_ptr<LayerAttention> MakeSingleTokenAttention(const LayerShardSpec& spec,
                                                         FunctionBuilder* f) {
  return std::make_unique<SingleTokenAttention>(spec, f);
}

}  // namespace headway::mil
