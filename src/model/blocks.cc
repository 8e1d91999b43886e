#include "model/blocks.h"

namespace headway::model {
namespace {

struct Projections {
  ValueId q, k, v;
};

Projections Project(const ModelConfig& c, ValueId n, ModelBuilder* b) {
  const int64_t q_channels = c.num_attention_heads * c.head_dim;
  const int64_t kv_channels = c.num_key_value_heads * c.head_dim;
  if (!c.fused_qkv) {
    const ValueId q = b->Linear("q", n, "attn_q", q_channels);
    const ValueId k = b->Linear("k", n, "attn_k", kv_channels);
    return {q, k, b->Linear("v", n, "attn_v", kv_channels)};
  }
  const int64_t k_end = q_channels + kv_channels;
  const int64_t v_end = k_end + kv_channels;
  const ValueId qkv = b->Linear("qkv", n, "attn_qkv", v_end);
  const ValueId q = b->Slice("q", qkv, 0, q_channels);
  const ValueId k = b->Slice("k", qkv, q_channels, k_end);
  return {q, k, b->Slice("v", qkv, k_end, v_end)};
}

}  // namespace

ValueId SelfAttention(const ModelConfig& c, ValueId n, HeadNorms norms, ModelBuilder* b) {
  Projections p = Project(c, n, b);
  if (norms == HeadNorms::kQueriesAndKeys) {
    p.q = b->HeadNorm("attn_q_norm", p.q);
    p.k = b->HeadNorm("attn_k_norm", p.k);
  }
  const ValueId q_rotated = b->Rotary("q_rotated", p.q);
  const ValueId k_rotated = b->Rotary("k_rotated", p.k);
  const ValueId a = b->Attention("attention", q_rotated, k_rotated, p.v);
  return b->Linear("attn_output", a, "attn_output", c.hidden_size);
}

ValueId FeedForward(const ModelConfig& c, ValueId n, Activation activation, ModelBuilder* b) {
  const ValueId gate = b->Linear("gate", n, "ffn_gate", c.intermediate_size);
  const ValueId up = b->Linear("up", n, "ffn_up", c.intermediate_size);
  const ValueId hidden = b->Gate("ffn_hidden", activation, gate, up);
  return b->Linear("ffn_down", hidden, "ffn_down", c.hidden_size);
}

}  // namespace headway::model
