#include "model/phi3.h"

#include <cmath>
#include <string>

namespace headway::model {
namespace {

using graph::ValueId;

// One transformer layer: x [T, D] -> [T, D]. The projections of q, k and v are one matrix, so are
// gate and up.
ValueId Layer(const ModelConfig& c, int64_t l, ValueId x, Weights* w, graph::Builder* b) {
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
  const ValueId qkv =
      b->Linear(p + "qkv", n1, w->Matrix(p + "attn_qkv.weight", q_channels + 2 * kv_channels, D));
  const ValueId q = b->Slice(p + "q", qkv, 0, q_channels);
  const ValueId k = b->Slice(p + "k", qkv, q_channels, q_channels + kv_channels);
  const ValueId v = b->Slice(p + "v", qkv, q_channels + kv_channels, q_channels + 2 * kv_channels);
  const ValueId q_rotated = b->Rotary(p + "q_rotated", q, rotary);
  const ValueId k_rotated = b->Rotary(p + "k_rotated", k, rotary);
  const ValueId a = b->Attention(p + "attention", q_rotated, k_rotated, v, attention);
  const ValueId o =
      b->Linear(p + "attn_output", a, w->Matrix(p + "attn_output.weight", D, q_channels));
  const ValueId x1 = b->Add(p + "attn_residual", x, o);

  const ValueId n2 =
      b->RmsNorm(p + "ffn_norm", x1, w->Vector(p + "ffn_norm.weight", D), c.rms_norm_eps);
  const ValueId gate_up = b->Linear(p + "gate_up", n2, w->Matrix(p + "ffn_up.weight", 2 * F, D));
  const ValueId gate = b->Slice(p + "gate", gate_up, 0, F);
  const ValueId up = b->Slice(p + "up", gate_up, F, 2 * F);
  const ValueId hidden = b->Mul(p + "ffn_hidden", b->Silu(p + "silu", gate), up);
  const ValueId down = b->Linear(p + "ffn_down", hidden, w->Matrix(p + "ffn_down.weight", D, F));
  return b->Add(p + "ffn_residual", x1, down);
}

}  // namespace

void BuildPhi3(const ModelConfig& c, Weights* w, graph::Builder* b) {
  const int64_t D = c.hidden_size;
  const int64_t V = c.vocab_size;
  b->SetStage(-1);
  ValueId x = b->Embedding("embedding", b->TokenIds("ids"), w->Matrix("token_embd.weight", V, D));
  for (int64_t l = 0; l < c.num_hidden_layers; ++l) {
    b->SetStage(l);
    x = Layer(c, l, x, w, b);
  }
  b->SetStage(c.num_hidden_layers);
  const ValueId n =
      b->RmsNorm("output_norm", x, w->Vector("output_norm.weight", D), c.rms_norm_eps);
  const char* head = c.tie_word_embeddings ? "token_embd.weight" : "output.weight";
  b->Output(b->Linear("logits", n, w->Matrix(head, V, D)));
}

}  // namespace headway::model
