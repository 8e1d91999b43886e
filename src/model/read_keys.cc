#include "model/read_keys.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <string_view>
#include <vector>

namespace headway::model {
namespace {

tl::unexpected<Error> BadConfig(const gguf::GgufFile& file, const std::string& message) {
  return Fail(ErrorCode::kInvalidInput, fmt::format("gguf: {}: {}", file.Path(), message));
}

// The one-dimensional F32 tensor `name`, or an empty vector when there is none.
Result<std::vector<float>> OptionalFactors(const gguf::GgufFile& file, const std::string& name,
                                           int64_t n) {
  if (file.FindTensor(name) == nullptr) return std::vector<float>{};
  HW_TRY(const ConstTensorView tensor, file.GetTensor(name));
  if (tensor.type != DataType::kF32 || !(tensor.shape == Shape{n})) {
    return BadConfig(file, fmt::format("tensor '{}': expected F32 [{}], found {} {}", name, n,
                                       Traits(tensor.type).name, ToString(tensor.shape)));
  }
  std::vector<float> factors(static_cast<size_t>(n));
  std::memcpy(factors.data(), tensor.data, factors.size() * sizeof(float));
  for (const float factor : factors) {
    if (!(factor > 0.0F) || !std::isfinite(factor)) {
      return BadConfig(
          file, fmt::format("tensor '{}': expected positive factors, found {}", name, factor));
    }
  }
  return factors;
}

Result<void> ReadSizes(const gguf::GgufFile& file, ModelConfig* c) {
  const std::string& arch = c->architecture;
  const auto read = [&](const char* key, int64_t* field) -> Result<void> {
    HW_TRY(const uint32_t value, file.GetU32(arch + "." + key));
    *field = value;
    return {};
  };
  HW_TRY_VOID(read("embedding_length", &c->hidden_size));
  HW_TRY_VOID(read("feed_forward_length", &c->intermediate_size));
  HW_TRY_VOID(read("block_count", &c->num_hidden_layers));
  HW_TRY_VOID(read("attention.head_count", &c->num_attention_heads));
  HW_TRY_VOID(read("context_length", &c->max_position_embeddings));
  HW_TRY(const uint32_t kv_heads, file.GetU32Or(arch + ".attention.head_count_kv",
                                                static_cast<uint32_t>(c->num_attention_heads)));
  c->num_key_value_heads = kv_heads;
  HW_TRY(c->rms_norm_eps, file.GetF32(arch + ".attention.layer_norm_rms_epsilon"));
  if (c->num_attention_heads < 1 || c->num_key_value_heads < 1 ||
      c->num_attention_heads % c->num_key_value_heads != 0) {
    return BadConfig(
        file, fmt::format("expected query heads in equal groups for each kv head, found {} and {}",
                          c->num_attention_heads, c->num_key_value_heads));
  }
  HW_TRY(const uint32_t head_dim,
         file.GetU32Or(arch + ".attention.key_length",
                       static_cast<uint32_t>(c->hidden_size / c->num_attention_heads)));
  c->head_dim = head_dim;
  if (c->hidden_size < 32 || c->intermediate_size < 32 || c->num_hidden_layers < 1 ||
      c->head_dim < 16 || c->head_dim % 16 != 0 || c->max_position_embeddings < 1 ||
      c->num_hidden_layers > 4096) {
    return BadConfig(
        file,
        fmt::format("expected a transformer with head_dim a multiple of 16, found hidden size {}, "
                    "feed-forward {}, layers {}, head_dim {}, context {}",
                    c->hidden_size, c->intermediate_size, c->num_hidden_layers, c->head_dim,
                    c->max_position_embeddings));
  }
  if (!(c->rms_norm_eps > 0.0F) || !std::isfinite(c->rms_norm_eps)) {
    return BadConfig(file,
                     fmt::format("expected a positive RMSNorm epsilon, found {}", c->rms_norm_eps));
  }
  return {};
}

// LongRoPE's factor on cos and sin when the file does not give it. Source: LongRoPE (Ding et al.
// 2024), section 3, and Phi-3's published configuration: sqrt(1 + ln(extension) / ln(original
// context)).
double DefaultAttentionFactor(const ModelConfig& c) {
  if (c.original_max_position_embeddings == 0) return 1.0;
  const double extension = static_cast<double>(c.max_position_embeddings) /
                           static_cast<double>(c.original_max_position_embeddings);
  if (extension <= 1.0) return 1.0;
  return std::sqrt(1.0 + std::log(extension) /
                             std::log(static_cast<double>(c.original_max_position_embeddings)));
}

Result<void> ReadRotary(const gguf::GgufFile& file, ModelConfig* c) {
  const std::string& arch = c->architecture;
  HW_TRY(const uint32_t n_rot,
         file.GetU32Or(arch + ".rope.dimension_count", static_cast<uint32_t>(c->head_dim)));
  c->rotary_dim = n_rot;
  HW_TRY(const float theta, file.GetF32Or(arch + ".rope.freq_base", 10000.0F));
  c->rope_theta = static_cast<double>(theta);
  if (c->rotary_dim < 2 || c->rotary_dim % 2 != 0 || c->rotary_dim > c->head_dim ||
      !(theta > 0.0F)) {
    return BadConfig(
        file,
        fmt::format(
            "expected an even rotary width of at most {} and a positive base, found {} and {}",
            c->head_dim, c->rotary_dim, theta));
  }
  HW_TRY(const std::string_view scaling, file.GetStringOr(arch + ".rope.scaling.type", "linear"));
  if (scaling == "linear") {
    HW_TRY(const float factor, file.GetF32Or(arch + ".rope.scaling.factor", 1.0F));
    if (!(factor > 0.0F))
      return BadConfig(file,
                       fmt::format("expected a positive rope.scaling.factor, found {}", factor));
    c->rope_linear_factor = static_cast<double>(factor);
  } else if (scaling != "none" && scaling != "longrope") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("gguf: {}: rope.scaling.type '{}' unsupported (supported: none, "
                            "linear, longrope)",
                            file.Path(), scaling));
  }
  const int64_t num_pairs = c->rotary_dim / 2;
  HW_TRY(c->rope_short_factors, OptionalFactors(file, "rope_factors_short.weight", num_pairs));
  HW_TRY(c->rope_long_factors, OptionalFactors(file, "rope_factors_long.weight", num_pairs));
  if (c->rope_short_factors.empty()) {  // Llama 3 scales its frequencies at every length
    HW_TRY(c->rope_short_factors, OptionalFactors(file, "rope_freqs.weight", num_pairs));
  }
  if (!c->rope_long_factors.empty()) {
    HW_TRY(const uint32_t original, file.GetU32(arch + ".rope.scaling.original_context_length"));
    c->original_max_position_embeddings = original;
    if (original < 2)
      return BadConfig(
          file, fmt::format("expected an original context of at least 2, found {}", original));
  }
  // A factor that the file states holds with and without LongRoPE.
  HW_TRY(const float attention, file.GetF32Or(arch + ".rope.scaling.attn_factor",
                                              static_cast<float>(DefaultAttentionFactor(*c))));
  if (!(attention > 0.0F))
    return BadConfig(file,
                     fmt::format("expected a positive attention factor, found {}", attention));
  c->rope_attention_factor = static_cast<double>(attention);
  return {};
}

// The vocabulary is what the embedding has rows for; the tokenizer may name fewer.
Result<void> ReadVocabulary(const gguf::GgufFile& file, ModelConfig* c) {
  HW_TRY(const ConstTensorView embedding, file.GetTensor("token_embd.weight"));
  if (embedding.shape.Rank() != 2 || embedding.shape[1] != c->hidden_size ||
      embedding.shape[0] < 1) {
    return BadConfig(file,
                     fmt::format("tensor 'token_embd.weight': expected [vocabulary, {}], found {}",
                                 c->hidden_size, ToString(embedding.shape)));
  }
  c->vocab_size = embedding.shape[0];
  c->tie_word_embeddings = file.FindTensor("output.weight") == nullptr;
  return {};
}

}  // namespace

Result<void> ReadCommonKeys(const gguf::GgufFile& file, ModelConfig* c) {
  HW_TRY_VOID(ReadSizes(file, c));
  HW_TRY_VOID(ReadRotary(file, c));
  HW_TRY(const uint32_t window, file.GetU32Or(c->architecture + ".attention.sliding_window", 0));
  // A window as long as the context is no window.
  c->sliding_window = window >= c->max_position_embeddings ? 0 : window;
  return ReadVocabulary(file, c);
}

}  // namespace headway::model
