#pragma once

// The model shapes that synth can make: real hyper-parameters, to be filled with synthetic weights.

#include <cstdint>
#include <span>
#include <string_view>

namespace headway::synth {

struct ModelShape {
  std::string_view name;
  std::string_view architecture;  // general.architecture
  std::string_view pre_tokenizer;
  uint32_t num_layers;
  uint32_t hidden_size;
  uint32_t intermediate_size;
  uint32_t num_heads;
  uint32_t num_kv_heads;
  uint32_t head_dim;
  uint32_t rotary_dim;
  uint32_t vocab_size;
  bool tied_embedding;
  uint32_t context_length;
  uint32_t original_context_length;  // equal to context_length: no LongRoPE
  float rope_attention_factor;       // 1 without LongRoPE
  uint32_t sliding_window;           // 0: the key says "none"

  bool HasLongRope() const { return original_context_length != context_length; }
};

// All shapes, for help texts.
std::span<const ModelShape> Shapes();

// nullptr when there is none of that name.
const ModelShape* FindShape(std::string_view name);

}  // namespace headway::synth
