#pragma once

// The model shapes that synth can make: real hyper-parameters, to be filled with synthetic weights.

#include <cstdint>
#include <span>
#include <string_view>

namespace headway::synth {

// What a shape does not say is as in the tiny models of tests.
struct ModelShape {
  std::string_view name;
  std::string_view architecture;  // general.architecture
  std::string_view pre_tokenizer = "llama-bpe";
  uint32_t num_layers = 2;
  uint32_t hidden_size = 256;
  uint32_t intermediate_size = 256;
  uint32_t num_heads = 4;
  uint32_t num_kv_heads = 2;
  uint32_t head_dim = 64;
  uint32_t rotary_dim = 64;
  uint32_t vocab_size = 320;
  bool tied_embedding = true;
  uint32_t context_length = 512;
  uint32_t original_context_length = 512;  // equal to context_length: no LongRoPE
  float rope_attention_factor = 1.0F;      // 1 without LongRoPE
  uint32_t sliding_window = 0;             // 0: the key says "none"
  // What few architectures have.
  float rope_base = 10000.0F;
  float linear_factor = 0.0F;    // of linear rotary scaling; 0: no such key
  uint32_t window_pattern = 0;   // every n-th layer sees all positions; 0: no such key
  std::string_view biases = {};  // matrices of a layer that have one: "attn_q attn_k"
  bool rope_freqs = false;       // Llama 3's factors on the frequencies
  uint32_t yarn_context = 0;     // the original context of YaRN, a quarter of the new; 0: none
  float score_cap = 0.0F;        // the soft cap of attention's scores; 0: no such key
  float logit_cap = 0.0F;        // and of logits
  bool granite_scales = false;   // constants on embedding, attention, residual stream, logits

  bool HasLongRope() const { return original_context_length != context_length; }
};

// All shapes, for help texts.
std::span<const ModelShape> Shapes();

// nullptr when there is none of that name.
const ModelShape* FindShape(std::string_view name);

}  // namespace headway::synth
