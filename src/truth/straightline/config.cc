#include "truth/straightline/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on

#include <algorithm>
#include <array>
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

// YaRN as Hugging Face's modeling_rope_utils computes it (Peng et al. 2023): wavelengths of which
// less than beta_slow fit into the original context are stretched by the factor, those of which more
// than beta_fast fit are kept, a ramp over the pairs between; cos and sin grow by 0.1 ln(factor) + 1.
Result<void> ApplyYarn(const gguf::GgufFile& file, const std::string& prefix, double factor,
                       Config* c) {
  HW_TRY(const uint32_t original, file.GetU32Or(prefix + "rope.scaling.original_context_length",
                                                static_cast<uint32_t>(c->context)));
  const auto dims = static_cast<double>(c->rotary_dim);
  const auto dim_of = [&](double rotations) {
    return dims * std::log(original / (rotations * 2 * std::acos(-1.0))) /
           (2 * std::log(c->rotary_base));
  };
  const double low = std::max(std::floor(dim_of(32)), 0.0);
  const double high = std::min(std::ceil(dim_of(1)), dims - 1);
  if (c->short_factors.empty()) c->short_factors.assign(static_cast<size_t>(dims / 2), 1.0);
  for (size_t i = 0; i < c->short_factors.size(); ++i) {
    const double ramp =
        std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
    c->short_factors[i] /= ramp / factor + (1 - ramp);
  }
  if (factor > 1) c->attention_factor *= 0.1 * std::log(factor) + 1;
  return {};
}

// A factor without a type means linear scaling, as llama.cpp reads it.
Result<void> ReadScaling(const gguf::GgufFile& file, const std::string& prefix, Config* c) {
  HW_TRY(const std::string_view kind, file.GetStringOr(prefix + "rope.scaling.type", "linear"));
  HW_TRY(float factor, file.GetF32Or(prefix + "rope.scaling.factor", 0.0F));
  if (file.Find(prefix + "rope.scaling.factor") == nullptr) {  // the name of before
    HW_TRY(factor, file.GetF32Or(prefix + "rope.scale_linear", 0.0F));
  }
  if (factor == 0.0F) factor = 1.0F;
  if (kind == "linear") {
    c->position_divisor = static_cast<double>(factor);
    return {};
  }
  if (kind == "yarn") return ApplyYarn(file, prefix, static_cast<double>(factor), c);
  if (kind == "none" || kind == "longrope") return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("straightline: {}: rope scaling '{}' unsupported (supported: none, "
                          "linear, yarn, longrope)",
                          file.Path(), kind));
}

Result<void> ReadRotary(const gguf::GgufFile& file, const std::string& prefix, Config* c) {
  c->rotary_pairs = c->architecture == "llama" || c->architecture == "granite" ||
                    c->architecture == "smollm3" || c->architecture == "ernie4_5";
  const auto whole_head = static_cast<uint32_t>(c->head_dim);
  HW_TRY(c->rotary_dim, file.GetU32Or(prefix + "rope.dimension_count", whole_head));
  HW_TRY(c->rotary_base, file.GetF32Or(prefix + "rope.freq_base", 10000.0F));
  if (c->rotary_dim % 2 != 0 || c->rotary_dim > c->head_dim) {
    return Contradiction(file, fmt::format("expected an even rotary width of at most {}, found {}",
                                           c->head_dim, c->rotary_dim));
  }
  HW_TRY_VOID(ReadLongRope(file, prefix, c));
  if (c->short_factors.empty()) {  // Llama 3's scaling, the same at every length
    HW_TRY(c->short_factors, ReadFactors(file, "rope_freqs.weight", c->rotary_dim / 2));
  }
  return ReadScaling(file, prefix, c);
}

// A number that counts as absent when it is 0.
Result<double> ReadNumber(const gguf::GgufFile& file, const std::string& key, double otherwise) {
  HW_TRY(const float number, file.GetF32Or(key, 0.0F));
  return number == 0.0F ? otherwise : static_cast<double>(number);
}

// Hugging Face's Gemma2Config: caps of 50 and 30, and a window of 4096 in every other layer, from
// the first on, unless the file says otherwise; query_pre_attn_scalar is D / H in the 27B model.
Result<void> ReadGemma2(const gguf::GgufFile& file, Config* c) {
  const auto num_layers = static_cast<size_t>(c->num_layers);
  c->embedding_factor = std::sqrt(static_cast<double>(c->dim));
  if (num_layers == 46) {
    const int64_t width = c->dim / c->num_heads;
    c->attention_scale = 1 / std::sqrt(static_cast<double>(width));
  }
  HW_TRY(c->score_cap, file.GetF32Or("gemma2.attn_logit_softcapping", 50.0F));
  HW_TRY(c->logit_cap, file.GetF32Or("gemma2.final_logit_softcapping", 30.0F));
  HW_TRY(c->sliding_window, file.GetU32Or("gemma2.attention.sliding_window", 4096));
  HW_TRY(const uint32_t pattern, file.GetU32Or("gemma2.attention.sliding_window_pattern", 2));
  for (size_t l = 0; l < num_layers; ++l)
    c->sees_all[l] = c->sliding_window == 0 || (pattern > 0 && l % pattern == pattern - 1);
  return {};
}

// What makes an architecture another one than Llama, as Hugging Face's model classes have it.
Result<void> ReadDifferences(const gguf::GgufFile& file, const std::string& prefix, Config* c) {
  const auto num_layers = static_cast<size_t>(c->num_layers);
  c->sees_all.assign(num_layers, c->sliding_window == 0);
  c->unrotated.assign(num_layers, false);
  c->attention_scale = 1 / std::sqrt(static_cast<double>(c->head_dim));
  if (c->architecture == "smollm3") {  // no_rope_layer_interval
    for (size_t l = 3; l < num_layers; l += 4) c->unrotated[l] = true;
  }
  if (c->architecture == "granite") {
    HW_TRY(c->embedding_factor, ReadNumber(file, prefix + "embedding_scale", 1));
    HW_TRY(c->attention_scale, ReadNumber(file, prefix + "attention.scale", c->attention_scale));
    HW_TRY(c->residual_factor, ReadNumber(file, prefix + "residual_scale", 1));
    HW_TRY(c->logit_divisor, ReadNumber(file, prefix + "logit_scale", 1));
    HW_TRY(const bool rotated, file.GetBoolOr(prefix + "rope.scaling.finetuned", true));
    c->unrotated.assign(num_layers, !rotated);
  }
  if (c->architecture == "gemma2") HW_TRY_VOID(ReadGemma2(file, c));
  if (c->architecture == "gemma3") {
    HW_TRY(c->logit_cap, ReadNumber(file, prefix + "final_logit_softcapping", 0));
    c->embedding_factor = std::sqrt(static_cast<double>(c->dim));
    if (num_layers == 62) {  // query_pre_attn_scalar of the 27B model
      const int64_t width = c->dim / c->num_heads;
      c->attention_scale = 1 / std::sqrt(static_cast<double>(width));
    }
    HW_TRY(const uint32_t pattern, file.GetU32Or(prefix + "attention.sliding_window_pattern", 6));
    for (size_t l = 0; l < num_layers; ++l) {
      if (pattern > 0 && (l + 1) % pattern == 0) c->sees_all[l] = true;
    }
    HW_TRY(const double base, ReadNumber(file, prefix + "rope.freq_base_swa", 10000));
    if (c->sliding_window > 0) c->local_base = base;
  }
  if (c->architecture == "exaone4" && c->sliding_window > 0) {  // "LLLG"
    HW_TRY(const uint32_t pattern, file.GetU32Or(prefix + "attention.sliding_window_pattern", 4));
    for (size_t l = 0; l < num_layers; ++l) {
      if (pattern > 0 && (l + 1) % pattern == 0) c->sees_all[l] = c->unrotated[l] = true;
    }
  }
  return {};
}

}  // namespace

Result<Config> ReadConfig(const gguf::GgufFile& file) {
  Config config;
  HW_TRY(const std::string_view architecture, file.GetString("general.architecture"));
  config.architecture = std::string(architecture);
  const std::array known = {"phi3",   "llama",   "qwen2",   "qwen3",    "gemma2",
                            "gemma3", "smollm3", "granite", "ernie4_5", "exaone4"};
  if (std::find(known.begin(), known.end(), architecture) == known.end()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("straightline: {}: architecture '{}' unsupported (supported: {})",
                            file.Path(), architecture, fmt::join(known, ", ")));
  }
  const std::string prefix = config.architecture + ".";
  HW_TRY_VOID(ReadSizes(file, prefix, &config));
  HW_TRY_VOID(ReadRotary(file, prefix, &config));
  HW_TRY_VOID(ReadDifferences(file, prefix, &config));
  return config;
}

}  // namespace headway::straightline
