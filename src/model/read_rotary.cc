#include "model/read_rotary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "model/read_keys.h"

namespace headway::model {
namespace {

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

// YaRN (Peng et al. 2023) as factors of each pair: frequencies that turn less than beta_slow times
// in the original context are divided by `factor`, those that turn more than beta_fast times are
// kept, a ramp over the pairs between. Corners are whole pairs, as in llama.cpp and Hugging Face.
Result<void> ReadYarn(const gguf::GgufFile& file, double factor, ModelConfig* c) {
  const std::string scaling = c->architecture + ".rope.scaling.";
  HW_TRY(const uint32_t original, file.GetU32Or(scaling + "original_context_length",
                                                static_cast<uint32_t>(c->max_position_embeddings)));
  HW_TRY(const float fast, PositiveOr(file, scaling + "yarn_beta_fast", 32.0F));
  HW_TRY(const float slow, PositiveOr(file, scaling + "yarn_beta_slow", 1.0F));
  const auto width = static_cast<double>(c->rotary_dim);
  const auto corner = [&](float turns) {
    return width * std::log(original / (static_cast<double>(turns) * 2.0 * std::acos(-1.0))) /
           (2.0 * std::log(c->rope_theta));
  };
  const double first = std::max(0.0, std::floor(corner(fast)));
  const double last = std::min(width - 1.0, std::ceil(corner(slow)));
  std::vector<float> factors(static_cast<size_t>(c->rotary_dim / 2), 1.0F);
  for (size_t i = 0; i < factors.size(); ++i) {
    const double way = (static_cast<double>(i) - first) / std::max(0.001, last - first);
    const double kept = 1.0 - std::min(1.0, std::max(0.0, way));
    const double of_its_own =
        c->rope_short_factors.empty() ? 1.0 : static_cast<double>(c->rope_short_factors[i]);
    factors[i] = static_cast<float>(of_its_own / ((1.0 - kept) / factor + kept));
  }
  c->rope_short_factors = std::move(factors);
  if (factor > 1.0) c->rope_attention_factor *= 0.1 * std::log(factor) + 1.0;
  return {};
}

// By what positions are divided; 1 where the file says none or 0, as llama.cpp reads it.
Result<double> ReadFactor(const gguf::GgufFile& file, const std::string& rope) {
  const bool old = file.Find(rope + "scaling.factor") == nullptr;
  HW_TRY(const float factor,
         PositiveOr(file, rope + (old ? "scale_linear" : "scaling.factor"), 1.0F));
  return static_cast<double>(factor);
}

}  // namespace

Result<void> ReadRotary(const gguf::GgufFile& file, ModelConfig* c) {
  const std::string rope = c->architecture + ".rope.";
  HW_TRY(const uint32_t n_rot,
         file.GetU32Or(rope + "dimension_count", static_cast<uint32_t>(c->head_dim)));
  c->rotary_dim = n_rot;
  HW_TRY(const float theta, file.GetF32Or(rope + "freq_base", 10000.0F));
  c->rope_theta = static_cast<double>(theta);
  if (c->rotary_dim < 2 || c->rotary_dim % 2 != 0 || c->rotary_dim > c->head_dim ||
      !(theta > 0.0F) || !std::isfinite(theta)) {
    return BadConfig(
        file,
        fmt::format(
            "expected an even rotary width of at most {} and a positive base, found {} and {}",
            c->head_dim, c->rotary_dim, theta));
  }
  const int64_t num_pairs = c->rotary_dim / 2;
  HW_TRY(c->rope_short_factors, OptionalFactors(file, "rope_factors_short.weight", num_pairs));
  HW_TRY(c->rope_long_factors, OptionalFactors(file, "rope_factors_long.weight", num_pairs));
  if (c->rope_short_factors.empty()) {  // Llama 3 scales its frequencies at every length
    HW_TRY(c->rope_short_factors, OptionalFactors(file, "rope_freqs.weight", num_pairs));
  }
  if (!c->rope_long_factors.empty()) {
    HW_TRY(const uint32_t original, file.GetU32(rope + "scaling.original_context_length"));
    c->original_max_position_embeddings = original;
    if (original < 2)
      return BadConfig(
          file, fmt::format("expected an original context of at least 2, found {}", original));
  }
  // A factor that the file states holds with and without LongRoPE.
  HW_TRY(const float attention, file.GetF32Or(rope + "scaling.attn_factor",
                                              static_cast<float>(DefaultAttentionFactor(*c))));
  if (!(attention > 0.0F) || !std::isfinite(attention))
    return BadConfig(file,
                     fmt::format("expected a positive attention factor, found {}", attention));
  c->rope_attention_factor = static_cast<double>(attention);

  HW_TRY(const std::string_view scaling, file.GetStringOr(rope + "scaling.type", "linear"));
  HW_TRY(const double factor, ReadFactor(file, rope));
  if (scaling == "none") return {};
  if (scaling == "linear") {
    c->rope_linear_factor = factor;
    return {};
  }
  if (scaling == "yarn" && c->rope_long_factors.empty()) return ReadYarn(file, factor, c);
  if (scaling == "longrope" && factor == 1.0) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("gguf: {}: rope.scaling.type {} with the factor {} unsupported "
                          "(supported: none, linear, yarn, longrope without a factor)",
                          file.Path(), gguf::Quoted(scaling), factor));
}

}  // namespace headway::model
