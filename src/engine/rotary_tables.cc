#include "engine/rotary_tables.h"

#include <cmath>

#include "base/check.h"

namespace headway {
namespace {

// `stretch`: divides every frequency; `factors`: each its own, or empty.
std::vector<double> Frequencies(int64_t rotary_dim, double theta, double stretch,
                                const std::vector<float>& factors) {
  const int64_t num_pairs = rotary_dim / 2;
  std::vector<double> frequencies(static_cast<size_t>(num_pairs));
  for (int64_t i = 0; i < num_pairs; ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim);
    const double factor =
        factors.empty() ? 1.0 : static_cast<double>(factors[static_cast<size_t>(i)]);
    frequencies[static_cast<size_t>(i)] = std::pow(theta, exponent) / (factor * stretch);
  }
  return frequencies;
}

}  // namespace

bool UsesLongFactors(const ModelConfig& config, int64_t length) {
  return !config.rope_long_factors.empty() && config.original_max_position_embeddings > 0 &&
         length > config.original_max_position_embeddings;
}

RotaryTables::RotaryTables(const ModelConfig& config, int64_t max_tokens)
    : num_pairs_(config.rotary_dim / 2), table_stride_(num_pairs_ * max_tokens) {
  const auto scaled = [&](const std::vector<float>& factors) {
    return Frequencies(config.rotary_dim, config.rope_theta, config.rope_linear_factor, factors);
  };
  tables_.push_back({.short_frequencies = scaled(config.rope_short_factors),
                     .long_frequencies = scaled(config.rope_long_factors),
                     .attention_factor = config.rope_attention_factor});
  if (config.NumRotaryTables() > 1) {
    const auto local = Frequencies(config.rotary_dim, config.rope_local_theta, 1.0, {});
    tables_.push_back(
        {.short_frequencies = local, .long_frequencies = local, .attention_factor = 1.0});
  }
  cos_.resize(tables_.size() * static_cast<size_t>(table_stride_));
  sin_.resize(cos_.size());
}

void RotaryTables::Fill(int64_t first, int64_t num_tokens, bool long_factors, int64_t row) {
  HW_CHECK((row + num_tokens) * num_pairs_ <= table_stride_, "rotary tables hold a step");
  for (size_t i = 0; i < tables_.size(); ++i) {
    const Table& table = tables_[i];
    FillTable(long_factors ? table.long_frequencies : table.short_frequencies,
              table.attention_factor, first, num_tokens,
              i * static_cast<size_t>(table_stride_) + static_cast<size_t>(row * num_pairs_));
  }
}

void RotaryTables::FillTable(const std::vector<double>& frequencies, double attention_factor,
                             int64_t first, int64_t num_tokens, size_t begin) {
  const auto pairs = static_cast<size_t>(num_pairs_);
  float* const cos = cos_.data() + begin;
  float* const sin = sin_.data() + begin;
  for (size_t t = 0; t < static_cast<size_t>(num_tokens); ++t) {
    const double position = static_cast<double>(first + static_cast<int64_t>(t));
    for (size_t i = 0; i < pairs; ++i) {
      const double angle = position * frequencies[i];
      cos[t * pairs + i] = static_cast<float>(std::cos(angle) * attention_factor);
      sin[t * pairs + i] = static_cast<float>(std::sin(angle) * attention_factor);
    }
  }
}

}  // namespace headway
