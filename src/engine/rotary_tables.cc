#include "engine/rotary_tables.h"

#include <cmath>

#include "base/check.h"

namespace headway {
namespace {

std::vector<double> Frequencies(const ModelConfig& config, const std::vector<float>& factors) {
  const int64_t num_pairs = config.rotary_dim / 2;
  std::vector<double> frequencies(static_cast<size_t>(num_pairs));
  for (int64_t i = 0; i < num_pairs; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(config.rotary_dim);
    const double factor =
        factors.empty() ? 1.0 : static_cast<double>(factors[static_cast<size_t>(i)]);
    frequencies[static_cast<size_t>(i)] =
        std::pow(config.rope_theta, exponent) / (factor * config.rope_linear_factor);
  }
  return frequencies;
}

}  // namespace

bool UsesLongFactors(const ModelConfig& config, int64_t length) {
  return !config.rope_long_factors.empty() && config.original_max_position_embeddings > 0 &&
         length > config.original_max_position_embeddings;
}

RotaryTables::RotaryTables(const ModelConfig& config, int64_t max_tokens)
    : num_pairs_(config.rotary_dim / 2),
      attention_factor_(config.rope_attention_factor),
      short_frequencies_(Frequencies(config, config.rope_short_factors)),
      long_frequencies_(Frequencies(config, config.rope_long_factors)),
      cos_(static_cast<size_t>(num_pairs_ * max_tokens)),
      sin_(cos_.size()) {}

void RotaryTables::Fill(int64_t first, int64_t num_tokens, bool long_factors, int64_t row) {
  const auto pairs = static_cast<size_t>(num_pairs_);
  HW_CHECK(static_cast<size_t>(row + num_tokens) * pairs <= cos_.size(),
           "rotary tables hold a step");
  float* const cos = cos_.data() + static_cast<size_t>(row) * pairs;
  float* const sin = sin_.data() + static_cast<size_t>(row) * pairs;
  const std::vector<double>& frequencies = long_factors ? long_frequencies_ : short_frequencies_;
  for (size_t t = 0; t < static_cast<size_t>(num_tokens); ++t) {
    const double position = static_cast<double>(first + static_cast<int64_t>(t));
    for (size_t i = 0; i < pairs; ++i) {
      const double angle = position * frequencies[i];
      cos[t * pairs + i] = static_cast<float>(std::cos(angle) * attention_factor_);
      sin[t * pairs + i] = static_cast<float>(std::sin(angle) * attention_factor_);
    }
  }
}

OracleAngles::OracleAngles(const ModelConfig& config, int64_t num_tokens) {
  RotaryTables tables(config, num_tokens);
  tables.Fill(0, num_tokens, false);
  const int64_t count = num_tokens * (config.rotary_dim / 2);
  cos.assign(tables.Cos(), tables.Cos() + count);
  sin.assign(tables.Sin(), tables.Sin() + count);
}

}  // namespace headway
