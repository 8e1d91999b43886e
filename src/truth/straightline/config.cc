#include "truth/straightline/config.h"

#include <fmt/format.h>

#include <cmath>

#include "tensor/codec.h"

namespace headway::straightline {
namespace {

tl::unexpected<Error> Contradiction(const gguf::GgufFile& file, const std::string& what) {
  return Fail(ErrorCode::kInvalidInput, fmt::format("straightline: {}: {}", file.Path(), what));
}

Result<void> ReadSizes(const gguf::GgufFile& file, const std::string& prefix, Config* c) {
  HW_TRY(c->context, file.GetU32(prefix + "context_length"));
  HW_TRY(c->dim, file.GetU32(prefix + "embedding_length"));
  HW_TRY(c->num_layers, file.GetU32(prefix + "block_count"));
  HW_TRY(c->hidden_dim, file.GetU32(prefix + "feed_forward_length"));
  HW_TRY(c->num_heads, file.GetU32(prefix + "attention.head_count"));
  const auto num_heads = static_cast<uint32_t>(c->num_heads);
  HW_TRY(c->num_kv_heads, file.GetU32Or(prefix + "attention.head_count_kv", num_heads));
  if (c->num_heads < 1 || c->num_kv_heads < 1 || c->num_heads % c->num_kv_heads != 0) {
    return Contradiction(file, fmt::format("expected heads in equal groups, found {} heads and {} "
                                           "key-value heads",
                                           c->num_heads, c->num_kv_heads));
  }
  const auto even_share = static_cast<uint32_t>(c->dim / c->num_heads);
  HW_TRY(c->head_dim, file.GetU32Or(prefix + "attention.key_length", even_share));
  HW_TRY(c->norm_epsilon, file.GetF32(prefix + "attention.layer_norm_rms_epsilon"));
  HW_TRY(c->sliding_window, file.GetU32Or(prefix + "attention.sliding_window", 0));
  HW_TRY(const ConstTensorView embedding, file.GetTensor("token_embd.weight"));
  c->vocab_size = embedding.shape.Rows();
  return {};
}

// A vector of divisors; empty when the file has none.
Result<std::vector<double>> ReadFactors(const gguf::GgufFile& file, const char* name,
                                        int64_t count) {
  if (file.FindTensor(name) == nullptr) return std::vector<double>{};
  HW_TRY(const ConstTensorView view, file.GetTensor(name));
  if (view.shape.Elements() != count || !IsWeightType(view.type)) {
    return Contradiction(file, fmt::format("tensor '{}': expected {} numbers, found {}", name,
                                           count, ToString(view.shape)));
  }
  std::vector<float> factors(static_cast<size_t>(count));
  DequantiseRow(view.type, view.data, count, factors.data());
  return std::vector<double>(factors.begin(), factors.end());
}

// LongRoPE as Hugging Face's modeling_rope_utils computes it: a sequence longer than the original
// context takes the long factors for all its positions, and cos and sin are scaled by sqrt(1 +
// ln(s) / ln(original)), s = context / original, at every length. llama.cpp's converter writes that
// number as rope.scaling.attn_factor whenever it writes factors, so it is derived only for files
// from elsewhere.
Result<void> ReadLongRope(const gguf::GgufFile& file, const std::string& prefix, Config* c) {
  const int64_t num_pairs = c->rotary_dim / 2;
  HW_TRY(c->short_factors, ReadFactors(file, "rope_factors_short.weight", num_pairs));
  HW_TRY(c->long_factors, ReadFactors(file, "rope_factors_long.weight", num_pairs));
  double derived = 1.0;
  if (!c->long_factors.empty()) {
    HW_TRY(c->original_context, file.GetU32(prefix + "rope.scaling.original_context_length"));
    const auto original = static_cast<double>(c->original_context);
    const double extension = static_cast<double>(c->context) / original;
    if (original < 2) return Contradiction(file, "expected an original context of 2 or more");
    if (extension > 1) derived = std::sqrt(1 + std::log(extension) / std::log(original));
  }
  const std::string key = prefix + "rope.scaling.attn_factor";
  HW_TRY(const float given, file.GetF32Or(key, 0.0F));
  c->attention_factor = file.Find(key) != nullptr ? static_cast<double>(given) : derived;
  return {};
}

Result<void> ReadRotary(const gguf::GgufFile& file, const std::string& prefix, Config* c) {
  c->rotary_pairs = c->architecture == "llama";
  const auto whole_head = static_cast<uint32_t>(c->head_dim);
  HW_TRY(c->rotary_dim, file.GetU32Or(prefix + "rope.dimension_count", whole_head));
  HW_TRY(c->rotary_base, file.GetF32Or(prefix + "rope.freq_base", 10000.0F));
  if (c->rotary_dim % 2 != 0 || c->rotary_dim > c->head_dim) {
    return Contradiction(file, fmt::format("expected an even rotary width of at most {}, found {}",
                                           c->head_dim, c->rotary_dim));
  }
  // A factor without a type means linear scaling, as llama.cpp reads it.
  HW_TRY(const std::string_view kind, file.GetStringOr(prefix + "rope.scaling.type", "linear"));
  if (kind == "linear") {
    HW_TRY(const float factor, file.GetF32Or(prefix + "rope.scaling.factor", 1.0F));
    if (factor > 0.0F) c->position_divisor = static_cast<double>(factor);  // 0 means none there
  } else if (kind != "none" && kind != "longrope") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("straightline: {}: rope scaling '{}' unsupported (supported: none, "
                            "linear, longrope)",
                            file.Path(), kind));
  }
  HW_TRY_VOID(ReadLongRope(file, prefix, c));
  if (c->short_factors.empty()) {  // Llama 3's scaling, the same at every length
    HW_TRY(c->short_factors, ReadFactors(file, "rope_freqs.weight", c->rotary_dim / 2));
  }
  return {};
}

}  // namespace

Result<Config> ReadConfig(const gguf::GgufFile& file) {
  Config config;
  HW_TRY(const std::string_view architecture, file.GetString("general.architecture"));
  config.architecture = std::string(architecture);
  if (architecture != "phi3" && architecture != "llama" && architecture != "qwen3") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("straightline: {}: architecture '{}' unsupported (supported: phi3, "
                            "llama, qwen3)",
                            file.Path(), architecture));
  }
  const std::string prefix = config.architecture + ".";
  HW_TRY_VOID(ReadSizes(file, prefix, &config));
  HW_TRY_VOID(ReadRotary(file, prefix, &config));
  return config;
}

}  // namespace headway::straightline
