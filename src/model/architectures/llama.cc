// Llama (arXiv:2302.13971, grouped queries 2307.09288): a matrix for each projection; converters
// order the rows of q and k so that rotary turns adjacent channels.

#include "model/architectures.h"
#include "model/read_keys.h"

namespace headway::model {
namespace {

Result<void> ReadLlama(const gguf::GgufFile& file, ModelConfig* c) {
  c->rope_pairs = true;
  return ReadCommonKeys(file, c);
}

ValueId LlamaLayer(const ModelConfig& c, ValueId x, ModelBuilder* b) {
  const int64_t q_channels = c.num_attention_heads * c.head_dim;
  const int64_t kv_channels = c.num_key_value_heads * c.head_dim;

  const ValueId n = b->Norm("attn_norm", x);
  const ValueId q = b->Linear("q", n, "attn_q", q_channels);
  const ValueId k = b->Linear("k", n, "attn_k", kv_channels);
  const ValueId v = b->Linear("v", n, "attn_v", kv_channels);
  const ValueId q_rotated = b->Rotary("q_rotated", q);
  const ValueId k_rotated = b->Rotary("k_rotated", k);
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

void BuildLlama(const ModelConfig& c, ModelBuilder* b) {
  ValueId x = b->Embedding();
  for (int64_t l = 0; l < c.num_hidden_layers; ++l) {
    b->BeginLayer(l);
    x = LlamaLayer(c, x, b);
  }
  b->Head(x);
}

}  // namespace

const Architecture kLlama = {.name = "llama", .models = "", .read = ReadLlama, .build = BuildLlama};

}  // namespace headway::model
