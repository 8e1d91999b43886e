#include "engine/top_logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace headway {

std::vector<TokenLogprob> TopLogprobs(std::span<const float> logits, int64_t count) {
  std::vector<int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto best = ids.begin() + std::min<int64_t>(count, static_cast<int64_t>(ids.size()));
  std::partial_sort(ids.begin(), best, ids.end(), [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)];
    const float y = logits[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  });
  if (best == ids.begin()) return {};
  const auto max = static_cast<double>(logits[static_cast<size_t>(ids.front())]);
  double mass = 0.0;
  for (const float logit : logits) mass += std::exp(static_cast<double>(logit) - max);
  const double log_mass = std::log(mass);
  std::vector<TokenLogprob> top;
  for (auto id = ids.begin(); id != best; ++id) {
    const auto logit = static_cast<double>(logits[static_cast<size_t>(*id)]);
    top.push_back({.id = *id, .logprob = static_cast<float>(logit - max - log_mass)});
  }
  return top;
}

}  // namespace headway
