#include "lab/measure/turns.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace headway::measure {
namespace {

// P(X <= k) for X binomial(n, 1/2).
double BinomialCdf(int n, int k) {
  double term = std::pow(0.5, n);
  double sum = 0.0;
  for (int i = 0; i <= k; ++i) {
    sum += term;
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  }
  return sum;
}

}  // namespace

Spread Summarise(std::vector<double> samples) {
  HW_CHECK(!samples.empty(), "at least one sample");
  std::sort(samples.begin(), samples.end());
  const auto n = static_cast<int>(samples.size());
  const auto at = [&](int i) { return samples[static_cast<size_t>(i)]; };
  // The largest k with P(X < k) <= 2.5 %: the median lies between order statistics k and n - 1 - k
  // (from 0).
  int k = 0;
  while (k + 1 < n / 2 && BinomialCdf(n, k) <= 0.025) ++k;
  if (k > 0 && BinomialCdf(n, k) > 0.025) --k;
  return {.median = n % 2 == 1 ? at(n / 2) : 0.5 * (at(n / 2 - 1) + at(n / 2)),
          .low = at(k),
          .high = at(n - 1 - k),
          .min = at(0),
          .max = at(n - 1)};
}

Result<std::vector<TurnResult>> MeasureInTurns(const std::vector<Variant>& variants, int rounds,
                                               int warm_up_rounds) {
  std::vector<std::vector<double>> values(variants.size());
  std::vector<std::vector<double>> ratios(variants.size());
  for (int round = 0; round < rounds + warm_up_rounds; ++round) {
    double first = 0.0;
    for (size_t i = 0; i < variants.size(); ++i) {
      HW_TRY(const double value, variants[i]());
      if (i == 0) first = value;
      if (round < warm_up_rounds) continue;
      values[i].push_back(value);
      ratios[i].push_back(value / first);
    }
  }
  std::vector<TurnResult> results;
  for (size_t i = 0; i < variants.size(); ++i) {
    results.push_back({.value = Summarise(values[i]), .ratio_to_first = Summarise(ratios[i])});
  }
  return results;
}

uint64_t Percentile(const std::vector<uint64_t>& samples, double percent) {
  if (samples.empty()) return 0;
  std::vector<uint64_t> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const auto rank =
      static_cast<size_t>(std::ceil(percent / 100.0 * static_cast<double>(sorted.size())));
  return sorted[std::min(std::max<size_t>(rank, 1), sorted.size()) - 1];
}

}  // namespace headway::measure
