#include "lab/synth/model_shape.h"

#include <algorithm>
#include <array>

namespace headway::synth {
namespace {

// LongRoPE's attention factor is sqrt(1 + ln(context / original) / ln(original)).
constexpr std::array<ModelShape, 15> kShapes = {{
    {.name = "phi4-mini",
     .architecture = "phi3",
     .pre_tokenizer = "gpt-4o",
     .num_layers = 32,
     .hidden_size = 3072,
     .intermediate_size = 8192,
     .num_heads = 24,
     .num_kv_heads = 8,
     .head_dim = 128,
     .rotary_dim = 96,
     .vocab_size = 200064,
     .tied_embedding = true,
     .context_length = 131072,
     .original_context_length = 4096,
     .rope_attention_factor = 1.1902381F,
     .sliding_window = 262144},
    // Its head over a single layer, for measuring the head alone.
    {.name = "phi4-mini-head",
     .architecture = "phi3",
     .pre_tokenizer = "gpt-4o",
     .num_layers = 1,
     .hidden_size = 3072,
     .intermediate_size = 8192,
     .num_heads = 24,
     .num_kv_heads = 8,
     .head_dim = 128,
     .rotary_dim = 96,
     .vocab_size = 200064,
     .tied_embedding = true,
     .context_length = 131072,
     .original_context_length = 4096,
     .rope_attention_factor = 1.1902381F,
     .sliding_window = 262144},
    // A head of 128 million weights over layers of 60 million: the LM head dominates every step.
    {.name = "small-head-heavy",
     .architecture = "phi3",
     .pre_tokenizer = "gpt-4o",
     .num_layers = 12,
     .hidden_size = 640,
     .intermediate_size = 2048,
     .num_heads = 10,
     .num_kv_heads = 5,
     .head_dim = 64,
     .rotary_dim = 48,
     .vocab_size = 200064,
     .tied_embedding = true,
     .context_length = 131072,
     .original_context_length = 4096,
     .rope_attention_factor = 1.1902381F,
     .sliding_window = 0},
    // Everything phi4-mini has, small: rows of one K block, and a LongRoPE border at 64 tokens.
    {.name = "tiny-phi",
     .architecture = "phi3",
     .pre_tokenizer = "gpt-4o",
     .rotary_dim = 48,
     .original_context_length = 64,
     .rope_attention_factor = 1.2247449F},
    // Deeper and with a wider vocabulary: 7 layers for topologies, 65 granules for head shards.
    {.name = "test-phi",
     .architecture = "phi3",
     .pre_tokenizer = "gpt-4o",
     .num_layers = 7,
     .hidden_size = 256,
     .intermediate_size = 256,
     .num_heads = 8,
     .num_kv_heads = 2,
     .head_dim = 32,
     .rotary_dim = 24,
     .vocab_size = 1032,
     .tied_embedding = true,
     .context_length = 256,
     .original_context_length = 64,
     .rope_attention_factor = 1.1547005F,
     .sliding_window = 0},
    {.name = "tiny-llama", .architecture = "llama", .tied_embedding = false},
    // The smallest head that a certified one may pay on (pack/auto_head.h).
    {.name = "tiny-wide-head",
     .architecture = "llama",
     .num_layers = 1,
     .hidden_size = 512,
     .vocab_size = 24576,
     .tied_embedding = false},
    // Heads that are wider together than the hidden state.
    {.name = "tiny-qwen3", .architecture = "qwen3", .head_dim = 96, .rotary_dim = 96},
    // Rotary factors as Llama 3 has them, and a bias wherever Llama may have one.
    {.name = "tiny-llama3",
     .architecture = "llama",
     .biases = "attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down",
     .rope_freqs = true},
    {.name = "tiny-qwen2",
     .architecture = "qwen2",
     .biases = "attn_q attn_k attn_v",
     .yarn_context = 128},
    // A window shorter than the tests' texts; layer 2 sees everything, and turns by another base.
    {.name = "tiny-gemma3",
     .architecture = "gemma3",
     .num_layers = 4,
     .intermediate_size = 512,
     .num_kv_heads = 1,
     .head_dim = 96,
     .rotary_dim = 96,
     .sliding_window = 8,
     .rope_base = 500000.0F,
     .linear_factor = 8.0F,
     .window_pattern = 3},
    {.name = "tiny-smollm3", .architecture = "smollm3", .num_layers = 4},
    {.name = "tiny-granite", .architecture = "granite", .granite_scales = true},
    {.name = "tiny-ernie4_5", .architecture = "ernie4_5"},
    {.name = "tiny-exaone4",
     .architecture = "exaone4",
     .num_layers = 4,
     .sliding_window = 8,
     .window_pattern = 3},
}};

}  // namespace

std::span<const ModelShape> Shapes() { return kShapes; }

const ModelShape* FindShape(std::string_view name) {
  const auto* shape = std::find_if(kShapes.begin(), kShapes.end(),
                                   [&](const ModelShape& s) { return s.name == name; });
  return shape == kShapes.end() ? nullptr : shape;
}

}  // namespace headway::synth
