#include "tensor/scale_search.h"

#include <algorithm>
#include <cmath>

namespace headway {
namespace {

constexpr int kLanes = 8;

// Steps of the search around the plain choice, in quantisation levels.
constexpr std::array<float, 7> kShifts = {0.0F, -0.3F, 0.3F, -0.6F, 0.6F, -0.9F, -1.2F};

float SumLanes(const std::array<float, kLanes>& lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

struct Moments {
  float xq;  // sum of x[i] * q[i]
  float qq;  // sum of q[i] * q[i]
  float q;   // sum of q[i]
};

// The sums of a rounding q[i] = clamp(round((x[i] - offset) * inverse)).
Moments RoundingMoments(const float* x, int n, float offset, float inverse, float low, float high) {
  std::array<float, kLanes> xq{};
  std::array<float, kLanes> qq{};
  std::array<float, kLanes> qs{};
  for (int i = 0; i < n; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const auto l = static_cast<size_t>(lane);
      const float value = x[i + lane];
      const float q = RoundClamped((value - offset) * inverse, low, high);
      xq[l] += value * q;
      qq[l] += q * q;
      qs[l] += q;
    }
  }
  return {SumLanes(xq), SumLanes(qq), SumLanes(qs)};
}

}  // namespace

float FitSymmetric(const float* x, int n, int high) {
  float extreme = 0.0F;
  for (int i = 0; i < n; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  if (extreme == 0.0F) return 0.0F;
  const float low = static_cast<float>(-high - 1);
  float best_gain = -1.0F;
  float best_scale = 0.0F;
  for (const float shift : kShifts) {
    const Moments m =
        RoundingMoments(x, n, 0.0F, (low - shift) / extreme, low, static_cast<float>(high));
    if (m.qq <= 0.0F) continue;
    // With the best scale xq / qq the squared error is sum(x^2) - xq^2 / qq.
    const float gain = m.xq * m.xq / m.qq;
    if (gain > best_gain) {
      best_gain = gain;
      best_scale = m.xq / m.qq;
    }
  }
  return best_scale;
}

AffineFit FitAffine(const float* x, int n, int levels, bool offset_at_most_zero) {
  float low = x[0];
  float high = x[0];
  std::array<float, kLanes> sums{};
  for (int i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    sums[static_cast<size_t>(i % kLanes)] += x[i];
  }
  const float sum_x = SumLanes(sums);
  if (offset_at_most_zero) low = std::min(low, 0.0F);
  if (!(high > low)) return {0.0F, low};
  const float count = static_cast<float>(n);
  const float top = static_cast<float>(levels);
  float best_gain = -INFINITY;
  AffineFit best{(high - low) / top, low};
  for (const float shift : kShifts) {
    const Moments m = RoundingMoments(x, n, low, (top + shift) / (high - low), 0.0F, top);
    // Normal equations of min sum (x - scale q - offset)^2.
    const float determinant = count * m.qq - m.q * m.q;
    if (determinant <= 0.0F) continue;
    AffineFit fit{(count * m.xq - sum_x * m.q) / determinant,
                  (m.qq * sum_x - m.q * m.xq) / determinant};
    if (offset_at_most_zero && fit.offset > 0.0F) fit = {m.xq / m.qq, 0.0F};
    if (!(fit.scale > 0.0F)) continue;
    // sum(x^2) minus the squared error, larger is better.
    const float gain =
        2.0F * (fit.scale * m.xq + fit.offset * sum_x - fit.scale * fit.offset * m.q) -
        fit.scale * fit.scale * m.qq - count * fit.offset * fit.offset;
    if (gain > best_gain) {
      best_gain = gain;
      best = fit;
    }
  }
  return best;
}

}  // namespace headway
