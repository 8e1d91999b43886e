#pragma once

// The hyper-parameters of a decoder-only transformer, in Hugging Face's names. Filled from a GGUF
// by model/, carried by the manifest, used by the runtime. A value.

#include <cstdint>
#include <string>
#include <vector>

namespace headway {

struct ModelConfig {
  std::string architecture;  // "phi3", "llama": the GGUF's general.architecture
  std::string name;
  int64_t hidden_size = 0;              // D
  int64_t intermediate_size = 0;        // F
  int64_t num_hidden_layers = 0;        // L
  int64_t num_attention_heads = 0;      // H
  int64_t num_key_value_heads = 0;      // Hk
  int64_t head_dim = 0;                 // d
  int64_t vocab_size = 0;               // V
  int64_t max_position_embeddings = 0;  // longest sequence
  int64_t sliding_window = 0;           // positions a token sees, itself included; 0: all
  float rms_norm_eps = 0.0F;
  bool tie_word_embeddings = false;

  // Rotary embedding: pair i of position p turns by
  // p * rope_theta^(-2i / rotary_dim) / (factor[i] * rope_linear_factor).
  int64_t rotary_dim = 0;
  bool rope_pairs = false;  // adjacent channels instead of halves
  double rope_theta = 10000.0;
  double rope_linear_factor = 1.0;
  // LongRoPE. A sequence of at most original_max_position_embeddings tokens uses the short factors,
  // a longer one the long factors, for all of its positions. cos and sin are multiplied by
  // rope_attention_factor in both. Empty factors: all 1.
  int64_t original_max_position_embeddings = 0;  // 0: no long regime
  double rope_attention_factor = 1.0;
  std::vector<float> rope_short_factors;  // [rotary_dim / 2] or empty
  std::vector<float> rope_long_factors;   // [rotary_dim / 2] or empty

  // Layers counted from 0, ascending.
  std::vector<int64_t> global_layers;     // see every position, though others have the window
  std::vector<int64_t> unrotated_layers;  // have no rotary embedding
  // The base of the layers with the window, by a second rotary table without scaling; 0: they turn
  // as all others.
  double rope_local_theta = 0.0;

  float embedding_scale = 1.0F;
  float attention_scale = 0.0F;  // on products of queries and keys; 0: 1 / sqrt(head_dim)
  float residual_scale = 1.0F;   // on what attention and feed-forward add
  float logit_scale = 1.0F;
  float attention_soft_cap = 0.0F;  // cap: a score becomes cap * tanh(score / cap); 0: none
  float logit_soft_cap = 0.0F;      // the same of logits
  bool fused_qkv = false;           // q, k, v are one matrix, its rows one after the other
  std::vector<std::string> biases;  // matrices of a layer that have a bias: "attn_q"

  // Tables of cos and sin that a step brings: 1, or 2 with a local base.
  int64_t NumRotaryTables() const { return rope_local_theta > 0.0 ? 2 : 1; }

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

}  // namespace headway
