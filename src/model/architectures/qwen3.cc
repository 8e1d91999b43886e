// Qwen 3 (arXiv:2505.09388): as Llama, but each head of q and k is normalised before rotary, which
// turns halves, and head_dim is a key of its own.

#include "model/architectures.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

ValueId Qwen3Layer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const int64_t q_channels = c.num_attention_heads * c.head_dim;
  const int64_t kv_channels = c.num_key_value_heads * c.head_dim;

  const ValueId n = b->Norm("attn_norm", x);
  const ValueId q = b->Linear("q", n, "attn_q", q_channels);
  const ValueId k = b->Linear("k", n, "attn_k", kv_channels);
  const ValueId v = b->Linear("v", n, "attn_v", kv_channels);
  const ValueId q_normed = b->HeadNorm("attn_q_norm", q);
  const ValueId k_normed = b->HeadNorm("attn_k_norm", k);
  const ValueId q_rotated = b->Rotary("q_rotated", q_normed);
  const ValueId k_rotated = b->Rotary("k_rotated", k_normed);
  const ValueId a = b->Attention("attention", q_rotated, k_rotated, v);
  const ValueId o = b->Linear("attn_output", a, "attn_output", c.hidden_size);
  const ValueId x1 = b->Add("attn_residual", x, o);

  const ValueId n1 = b->Norm("ffn_norm", x1);
  const ValueId gate = b->Linear("gate", n1, "ffn_gate", c.intermediate_size);
  const ValueId up = b->Linear("up", n1, "ffn_up", c.intermediate_size);
  const ValueId hidden = b->Gate("ffn_hidden", Activation::kSilu, gate, up);
  const ValueId down = b->Linear("ffn_down", hidden, "ffn_down", c.hidden_size);
  return b->Add("ffn_residual", x1, down);
}

void BuildQwen3(const ModelConfig& c, ModelBuilder* b) {
  ValueId x = b->Embedding();
  for (int64_t l = 0; l < c.num_hidden_layers; ++l) {
    b->BeginLayer(l);
    x = Qwen3Layer(c, x, b);
  }
  b->Head(x);
}

}  // namespace

const Architecture kQwen3 = {
    .name = "qwen3", .models = "", .read = ReadCommonKeys, .build = BuildQwen3};

}  // namespace headway::model
