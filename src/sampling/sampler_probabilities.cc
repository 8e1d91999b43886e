#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/sampler.h"

namespace headway::sampling {

Distribution Sampler::Probabilities(std::span<float> logits, std::span<const int32_t> history,
                                    std::span<const uint64_t> mask, int64_t count, int32_t chosen) {
  Change(logits, history, mask);
  const kernels::ArgMax best = Largest(logits);
  const bool none_left = best.value == -std::numeric_limits<float>::infinity();
  if (none_left || params_.temperature == 0.0F) {
    const int32_t lowest = allowed_.empty() ? 0 : allowed_.front();
    const int32_t id = none_left ? lowest : static_cast<int32_t>(best.index);
    Distribution one{.best = {{.id = id, .probability = 1.0}}, .chosen = id == chosen ? 1.0 : 0.0};
    one.best.resize(static_cast<size_t>(std::clamp<int64_t>(count, 0, 1)));
    return one;
  }
  const Cut cut = filters_ ? FindCut(logits, best.value) : Cut{};
  std::vector<TokenProbability> kept;
  double mass = 0.0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!cut.Keeps(logits[i], static_cast<int64_t>(i))) continue;
    const double distance = static_cast<double>(logits[i]) - static_cast<double>(best.value);
    const double weight = std::exp(distance * static_cast<double>(inverse_temperature_));
    if (weight == 0.0) continue;
    kept.push_back({.id = static_cast<int32_t>(i), .probability = weight});
    mass += weight;
  }
  Distribution distribution;
  for (TokenProbability& token : kept) {
    token.probability /= mass;
    if (token.id == chosen) distribution.chosen = token.probability;
  }
  const auto end = kept.begin() + std::min(count, static_cast<int64_t>(kept.size()));
  std::partial_sort(kept.begin(), end, kept.end(),
                    [&](const TokenProbability& a, const TokenProbability& b) {
                      const float x = logits[static_cast<size_t>(a.id)];
                      const float y = logits[static_cast<size_t>(b.id)];
                      return x > y || (x == y && a.id < b.id);
                    });
  distribution.best.assign(kept.begin(), end);
  return distribution;
}

}  // namespace headway::sampling
