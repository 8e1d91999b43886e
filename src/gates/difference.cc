#include "gates/difference.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace headway::gates {

double LowestCosine(std::span<const float> a, std::span<const float> b, int64_t channels) {
  const auto n = static_cast<size_t>(channels);
  double lowest = 1;
  for (size_t begin = 0; begin < a.size(); begin += n) {
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (size_t i = begin; i < begin + n; ++i) {
      const auto x = static_cast<double>(a[i]);
      const auto y = static_cast<double>(b[i]);
      dot += x * y;
      aa += x * x;
      bb += y * y;
    }
    const double size = std::sqrt(aa * bb);
    const double cosine = size > 0 ? dot / size : (aa == bb ? 1.0 : 0.0);
    lowest = std::min(lowest, std::isnan(cosine) ? -1.0 : cosine);
  }
  return lowest;
}

Difference Measure(std::span<const float> found, std::span<const float> expected,
                   std::span<const float> before, int64_t channels, double quiet) {
  HW_CHECK(found.size() == expected.size() && !found.empty(), "values to compare");
  const auto n = static_cast<size_t>(channels);
  Difference difference;
  std::vector<double> error(n, 0.0);
  std::vector<double> size(n, 0.0);
  for (size_t i = 0; i < found.size(); ++i) {
    if (!std::isfinite(found[i]) || !std::isfinite(expected[i])) {
      ++difference.not_finite;
      continue;
    }
    const double e = static_cast<double>(found[i]) - static_cast<double>(expected[i]);
    const double s =
        static_cast<double>(expected[i]) - (before.empty() ? 0.0 : static_cast<double>(before[i]));
    error[i % n] += e * e;
    size[i % n] += s * s;
    difference.largest = std::max(difference.largest, std::abs(e));
  }
  double all_errors = 0;
  double all_sizes = 0;
  for (size_t c = 0; c < n; ++c) {
    all_errors += error[c];
    all_sizes += size[c];
  }
  constexpr double kNothing = 1e-60;  // all expected values are zero
  difference.relative = std::sqrt(all_errors / std::max(all_sizes, kNothing));
  const double least = quiet * quiet * all_sizes / static_cast<double>(n);
  for (size_t c = 0; c < n; ++c) {
    const double relative = std::sqrt(error[c] / std::max({size[c], least, kNothing}));
    if (relative <= difference.worst_channel && difference.channel >= 0) continue;
    difference.worst_channel = relative;
    difference.channel = static_cast<int64_t>(c);
  }
  if (difference.not_finite == 0) difference.cosine = LowestCosine(found, expected, channels);
  return difference;
}

}  // namespace headway::gates
