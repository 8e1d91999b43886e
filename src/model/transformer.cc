#include "model/transformer.h"

#include <array>
#include <cmath>
#include <string>

namespace headway::model {
namespace {

using graph::ValueId;

// One part of a fused projection, or a projection with a matrix of its own.
struct Part {
  const char* value;   // its name in the graph
  const char* matrix;  // its name in a file that stores it apart
  int64_t channels;
};

// The projections of x [T, D] onto each part's channels. `fused` names the graph's value and the
// file's matrix where all parts are one.
template <size_t kParts>
std::array<ValueId, kParts> Project(const std::string& prefix, Projections projections,
                                    const Part& fused, const std::array<Part, kParts>& parts,
                                    ValueId x, int64_t D, Weights* w, graph::Builder* b) {
  std::array<ValueId, kParts> values{};
  if (projections == Projections::kSeparate) {
    for (size_t i = 0; i < kParts; ++i) {
      const auto matrix = w->Matrix(prefix + parts[i].matrix, parts[i].channels, D);
      values[i] = b->Linear(prefix + parts[i].value, x, matrix);
    }
    return values;
  }
  const auto matrix = w->Matrix(prefix + fused.matrix, fused.channels, D);
  const ValueId all = b->Linear(prefix + fused.value, x, matrix);
  int64_t begin = 0;
  for (size_t i = 0; i < kParts; ++i) {
    values[i] = b->Slice(prefix + parts[i].value, all, begin, begin + parts[i].channels);
    begin += parts[i].channels;
  }
  return values;
}

// One transformer layer: x [T, D] -> [T, D].
ValueId Layer(const ModelConfig& c, Projections projections, int64_t l, ValueId x, Weights* w,
              graph::Builder* b) {
  const std::string p = "blk." + std::to_string(l) + ".";
  const int64_t D = c.hidden_size;
  const int64_t F = c.intermediate_size;
  const int64_t q_channels = c.num_attention_heads * c.head_dim;
  const int64_t kv_channels = c.num_key_value_heads * c.head_dim;
  const graph::RotaryAttributes rotary{
      .pairs = c.rope_pairs, .n_rot = c.rotary_dim, .head_dim = c.head_dim};
  const graph::AttentionAttributes attention{
      .layer = l,
      .num_heads = c.num_attention_heads,
      .num_kv_heads = c.num_key_value_heads,
      .head_dim = c.head_dim,
      .window = c.sliding_window,
      .scale = 1.0F / std::sqrt(static_cast<float>(c.head_dim))};

  const ValueId n1 =
      b->RmsNorm(p + "attn_norm", x, w->Vector(p + "attn_norm.weight", D), c.rms_norm_eps);
  const auto [q, k, v] =
      Project<3>(p, projections, {"qkv", "attn_qkv.weight", q_channels + 2 * kv_channels},
                 {{{"q", "attn_q.weight", q_channels},
                   {"k", "attn_k.weight", kv_channels},
                   {"v", "attn_v.weight", kv_channels}}},
                 n1, D, w, b);
  const ValueId q_rotated = b->Rotary(p + "q_rotated", q, rotary);
  const ValueId k_rotated = b->Rotary(p + "k_rotated", k, rotary);
  const ValueId a = b->Attention(p + "attention", q_rotated, k_rotated, v, attention);
  const ValueId o =
      b->Linear(p + "attn_output", a, w->Matrix(p + "attn_output.weight", D, q_channels));
  const ValueId x1 = b->Add(p + "attn_residual", x, o);

  const ValueId n2 =
      b->RmsNorm(p + "ffn_norm", x1, w->Vector(p + "ffn_norm.weight", D), c.rms_norm_eps);
  const auto [gate, up] =
      Project<2>(p, projections, {"gate_up", "ffn_up.weight", 2 * F},
                 {{{"gate", "ffn_gate.weight", F}, {"up", "ffn_up.weight", F}}}, n2, D, w, b);
  const ValueId hidden = b->Mul(p + "ffn_hidden", b->Silu(p + "silu", gate), up);
  const ValueId down = b->Linear(p + "ffn_down", hidden, w->Matrix(p + "ffn_down.weight", D, F));
  return b->Add(p + "ffn_residual", x1, down);
}

}  // namespace

void BuildTransformer(const ModelConfig& c, Projections projections, Weights* w,
                      graph::Builder* b) {
  const int64_t D = c.hidden_size;
  const int64_t V = c.vocab_size;
  b->SetStage(-1);
  ValueId x = b->Embedding("embedding", b->TokenIds("ids"), w->Matrix("token_embd.weight", V, D));
  for (int64_t l = 0; l < c.num_hidden_layers; ++l) {
    b->SetStage(l);
    x = Layer(c, projections, l, x, w, b);
  }
  b->SetStage(c.num_hidden_layers);
  const ValueId n =
      b->RmsNorm("output_norm", x, w->Vector("output_norm.weight", D), c.rms_norm_eps);
  const char* head = c.tie_word_embeddings ? "token_embd.weight" : "output.weight";
  b->Output(b->Linear("logits", n, w->Matrix(head, V, D)));
}

}  // namespace headway::model
