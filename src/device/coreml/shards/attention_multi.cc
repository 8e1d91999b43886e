#include <fmt/format.h>

#include <cmath>
#include <set>

#include "device/coreml/shards/cached_attention.h"
#include "device/coreml/shards/ops.h"

namespace headway::mil {
namespace {

using namespace ops;  // NOLINT(google-build-using-namespace): this file is a list of ops

// Several tokens a step. Heads stay [1, heads, d, T] as the convolution leaves them, tokens on the
// last axis; the products transpose inside matmul, so that no transpose, expand_dims or squeeze is
// needed and the only flexible axis is the one that each reshape leaves to -1.
class MultiTokenAttention final : public CachedAttention {
 public:
  MultiTokenAttention(const LayerShardSpec& spec, FunctionBuilder* f) : CachedAttention(spec, f) {
    const int64_t T = spec.flexible ? kUnknownDim : spec.tokens;
    std::set<int64_t> tables;
    std::set<int64_t> windows;
    for (int i = 0; i < spec.num_layers; ++i) {
      const LayerForm form = spec.FormOf(i);
      if (form.rotary) tables.insert(form.rotary_table);
      windows.insert(form.window);
    }
    for (const int64_t table : tables) {
      for (const char* function : {"cos", "sin"})
        f->Input(RotaryInput(function, table), DType::kF16, {1, 1, spec.rotary_dims / 2, T});
    }
    const int64_t seen = Columns() ? spec.max_seq + spec.tokens : spec.max_seq;
    for (const int64_t window : windows) f->Input(MaskInput(window), DType::kF16, {1, 1, T, seen});
    if (Columns()) {
      cache_ = std::make_unique<CacheStates>(spec, f);
      return;
    }
    write_ = f->Input("kv_write_mask", DType::kF16, {1, 1, spec.max_seq, T});
    cache_ = std::make_unique<CacheStates>(spec, f);
    // Positions that any of the tokens writes: [1, 1, S, 1].
    keep_ = Sub(f, "kv_keep", HalfConstant(1.0F), Reduce(f, "reduce_sum", "kv_written", write_, 3));
  }

  std::string Layer(int layer, const std::string& p, const AttentionInput& input) override {
    form_ = s_.FormOf(layer);
    mask_ = MaskInput(form_.window);
    cos_ = RotaryInput("cos", form_.rotary_table);
    sin_ = RotaryInput("sin", form_.rotary_table);
    const std::string& qkv = input.qkv;
    const int64_t q_width = QueryWidth();
    const int64_t kv_width = KvWidth();
    const std::string q = Slice(f_, p + "q", qkv, 1, 0, q_width);
    const std::string k = Slice(f_, p + "k", qkv, 1, q_width, q_width + kv_width);
    const std::string v = Slice(f_, p + "v", qkv, 1, q_width + kv_width, q_width + 2 * kv_width);
    // Outputs have the names that the host knows them by.
    const int model_layer = s_.first_layer + layer;
    const std::string k_name = Columns() ? fmt::format("k_new_{}", model_layer) : p + "k_turned";
    const std::string v_name = Columns() ? fmt::format("v_new_{}", model_layer) : p + "v_split";
    const std::string queries =
        Turned(p + "q_", q, {s_.num_heads, NormPlace::kQueries, input.query_gain, input.scale},
               p + "q_turned");
    const std::string fresh_keys = Turned(
        p + "k_", k, {s_.num_kv_heads, NormPlace::kKeys, input.key_gain, input.scale}, k_name);
    const std::string keys = Store(true, layer, p, fresh_keys);
    const std::string values = Store(false, layer, p, Heads(v_name, v, s_.num_kv_heads));
    const std::string heads = Mix(p, queries, keys, values);
    return Reshape(f_, p + "heads", heads, {1, q_width, -1, 1});
  }

 private:
  // How the heads of queries or keys are normalised, if at all.
  struct HeadNorm {
    int64_t heads;
    NormPlace place;
    const std::string& gain;
    float scale;  // of what is normalised
  };

  // [1, heads d, T, 1] to [1, heads, d, T], normalised and turned as the layer has it.
  std::string Turned(const std::string& p, const std::string& x, const HeadNorm& norm,
                     const std::string& name) {
    const bool norms = form_.head_norms;
    if (!norms && !form_.rotary) return Heads(name, x, norm.heads);
    std::string split = Heads(p + "split", x, norm.heads);
    if (norms) {
      const float chosen = form_.factors.prescales[static_cast<size_t>(norm.place)];
      const RmsNormParams params{
          .epsilon = s_.rms_norm_epsilon,
          .prescale = chosen > 0 ? chosen : 1.0F / std::sqrt(static_cast<float>(s_.head_dim)),
          .input_scale = norm.scale,
          .axis = 2};
      const std::string normed = form_.rotary ? p + "normed" : name;
      split = RmsNorm(f_, normed, split, norm.gain, params);
    }
    return form_.rotary ? Rotate(p, split, name) : split;
  }

  std::string Heads(const std::string& name, const std::string& x, int64_t heads) {
    return Reshape(f_, name, x, {1, heads, s_.head_dim, -1});
  }

  // mask fresh^T: mask [1, 1, S, T], fresh [1, Hk, d, T].
  std::string Added(const std::string& name, const std::string& fresh) override {
    return MatMul(f_, name, write_, fresh, false, true);
  }

  // Eight ops a KV head and a concat: [1, H, d, T].
  std::string PerHead(const std::string& p, const std::string& q, const std::string& keys,
                      const std::string& values) override {
    const int64_t group = Group();
    std::vector<std::string> outs;
    for (int64_t h = 0; h < s_.num_kv_heads; ++h) {
      const std::string n = fmt::format("{}h{}_", p, h);
      const std::string q_group = Slice(f_, n + "q", q, 1, h * group, (h + 1) * group);
      const std::string k = Slice(f_, n + "k", keys, 1, h, h + 1);
      const std::string v = Slice(f_, n + "v", values, 1, h, h + 1);
      outs.push_back(MatMul(f_, n + "mixed", v, Scores(n, q_group, k, true), !Columns(), true));
    }
    return Concat(f_, p + "joined", outs, 1);
  }

  // All KV heads at once: queries of a group side by side, [1, Hk, group d, T], cannot share one
  // product over d, so the group becomes the outer axis: [group, Hk, d, T].
  std::string Batched(const std::string& p, const std::string& q, const std::string& keys,
                      const std::string& values) override {
    const int64_t group = Group();
    std::vector<std::string> outs;
    for (int64_t g = 0; g < group; ++g) {
      const std::string n = fmt::format("{}g{}_", p, g);
      const std::string q_group = StridedHeads(n + "q", q, g, group);
      outs.push_back(MatMul(f_, n + "mixed", values, Scores(n, q_group, keys, true), !Columns(),
                            true));  // [1, Hk, d, T]
    }
    if (group == 1) return outs.front();
    // [1, Hk, group d, T]: heads in their order once the middle axes are joined.
    return Concat(f_, p + "joined", outs, 2);
  }

  // Heads g, g + group, ...: one of each KV head.
  std::string StridedHeads(const std::string& name, const std::string& q, int64_t g,
                           int64_t group) {
    const Dims dims = f_->TypeOf(q).dims;
    const bool flexible = dims[3] == kUnknownDim;
    const Dims begin = {0, g, 0, 0};
    const Dims end = {1, dims[1], dims[2], flexible ? 0 : dims[3]};
    const Dims stride = {1, group, 1, 1};
    const bool to_end[] = {false, false, false, flexible};
    FunctionBuilder::Params params = {{"x", {q}},
                                      {"begin", {IntsConstant(begin)}},
                                      {"end", {IntsConstant(end)}},
                                      {"stride", {IntsConstant(stride)}}};
    if (flexible) params.push_back({"end_mask", {BoolsConstant(to_end)}});
    return f_->Op("slice_by_index", name, std::move(params));
  }
};

}  // namespace

std::unique_ptr<LayerAttention> MakeMultiTokenAttention(const LayerShardSpec& spec,
                                                        FunctionBuilder* f) {
  return std::make_unique<MultiTokenAttention>(spec, f);
}

}  // namespace headway::mil
