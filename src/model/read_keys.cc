#include "model/read_keys.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "model/read_rotary.h"

namespace headway::model {
namespace {

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
  HW_TRY(const uint32_t value_dim, file.GetU32Or(arch + ".attention.value_length", head_dim));
  if (value_dim != head_dim)
    return BadConfig(file, fmt::format("expected keys and values of one width, found {} and {}",
                                       head_dim, value_dim));
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

// Forms that the tensors of the first layer tell; the others must be alike (model.cc).
void ReadForms(const gguf::GgufFile& file, ModelConfig* c) {
  c->fused_qkv = file.FindTensor("blk.0.attn_qkv.weight") != nullptr;
  for (const char* matrix : {"attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_gate",
                             "ffn_up", "ffn_down"}) {
    if (file.FindTensor(fmt::format("blk.0.{}.bias", matrix)) != nullptr)
      c->biases.emplace_back(matrix);
  }
}

}  // namespace

tl::unexpected<Error> BadConfig(const gguf::GgufFile& file, const std::string& message) {
  return Fail(ErrorCode::kInvalidInput, fmt::format("gguf: {}: {}", file.Path(), message));
}

Result<float> PositiveOr(const gguf::GgufFile& file, const std::string& key, float otherwise) {
  HW_TRY(const float value, file.GetF32Or(key, otherwise));
  if (value == 0.0F) return otherwise;
  if (value > 0.0F && std::isfinite(value)) return value;
  return BadConfig(file, fmt::format("key '{}': expected a positive number, found {}", key, value));
}

Result<float> SoftCapOr(const gguf::GgufFile& file, const std::string& key, float otherwise) {
  return PositiveOr(file, key, file.Find(key) == nullptr ? otherwise : 0.0F);
}

Result<void> ReadGemmaKeys(const gguf::GgufFile& file, int64_t layers_of_largest, ModelConfig* c) {
  HW_TRY_VOID(ReadCommonKeys(file, c));
  c->embedding_scale = std::sqrt(static_cast<float>(c->hidden_size));
  if (c->num_hidden_layers == layers_of_largest) {
    const int64_t width = c->hidden_size / c->num_attention_heads;
    c->attention_scale = 1.0F / std::sqrt(static_cast<float>(width));
  }
  return {};
}

Result<std::vector<int64_t>> GlobalLayers(const gguf::GgufFile& file, const ModelConfig& c,
                                          uint32_t interval) {
  const std::string key = c.architecture + ".attention.sliding_window_pattern";
  const gguf::Value* const pattern = file.Find(key);
  std::vector<int64_t> layers;
  if (pattern != nullptr && pattern->type == gguf::ValueType::kArray) {
    const bool bools = pattern->element_type == gguf::ValueType::kBool;
    const auto num_layers = static_cast<uint64_t>(c.num_hidden_layers);
    if ((!bools && !gguf::IsInteger(pattern->element_type)) || pattern->count < num_layers)
      return BadConfig(file,
                       fmt::format("key '{}': expected a bool for each of {} layers, found {}", key,
                                   num_layers, pattern->TypeText()));
    for (uint64_t l = 0; l < num_layers; ++l) {
      const bool windowed =
          bools ? pattern->bytes[l] != std::byte{0} : pattern->IntegerAt(l) != int64_t{0};
      if (!windowed) layers.push_back(static_cast<int64_t>(l));
    }
    return layers;
  }
  HW_TRY(const uint32_t every, file.GetU32Or(key, interval));
  for (int64_t l = every; every > 0 && l <= c.num_hidden_layers; l += every)
    layers.push_back(l - 1);
  return layers;
}

Result<void> ReadCommonKeys(const gguf::GgufFile& file, ModelConfig* c) {
  HW_TRY_VOID(ReadSizes(file, c));
  HW_TRY_VOID(ReadRotary(file, c));
  HW_TRY(const uint32_t window, file.GetU32Or(c->architecture + ".attention.sliding_window", 0));
  // A window as long as the context is no window.
  c->sliding_window = window >= c->max_position_embeddings ? 0 : window;
  ReadForms(file, c);
  return ReadVocabulary(file, c);
}

}  // namespace headway::model
