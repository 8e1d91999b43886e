#include "lmhead/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace headway::lmhead {
namespace {

constexpr float kNoScore = -std::numeric_limits<float>::infinity();
constexpr int64_t kStripRows = kernels::kSignStripRows;
// Strips that a thread takes at a time.
constexpr int64_t kShare = 64;
// Strips that a forecast looks at: 16,384 rows, 20 us.
constexpr size_t kSampledStrips = 256;
// Radii of two and of three bits over that of signs, about.
constexpr auto kTwoBitsRadius = static_cast<float>(kExpectedRadii[1] / kExpectedRadii[0]);
constexpr auto kThreeBitsRadius = static_cast<float>(kExpectedRadii[2] / kExpectedRadii[0]);

}  // namespace

Scores::Scores(int64_t num_rows, const kernels::KernelSet& kernels, ThreadPool* pool)
    : num_rows_(num_rows),
      kernels_(kernels),
      pool_(pool),
      scored_(static_cast<size_t>(num_rows) * sizeof(float)),
      strips_(static_cast<size_t>(kernels::NumSignStrips(num_rows))) {}

void Scores::Compute(const ScreenedState* screened, const SearchGoal* goal) {
  screened_ = screened;
  goal_ = goal;
  if (!goal->perturbed && goal->allowed.empty() && goal->mask.empty()) {
    upper_ = screened->upper.Pointer<float>();
    std::copy(screened->summaries.begin(), screened->summaries.end(), strips_.begin());
    return;
  }
  upper_ = scored_.Pointer<float>();
  const auto num_strips = static_cast<int64_t>(strips_.size());
  queue_.Reset();
  pool_->Run([&](int) {
    int64_t strip = 0;
    int64_t end = 0;
    while (queue_.Take(num_strips, kShare, &strip, &end)) {
      for (; strip < end; ++strip) ScoreStrip(strip);
    }
  });
}

void Scores::ScoreStrip(int64_t strip) {
  const int64_t first = strip * kStripRows;
  const int64_t n = std::min(kStripRows, num_rows_ - first);
  const float* upper = screened_->upper.Pointer<float>() + first;
  const float* estimate = screened_->estimate.Pointer<float>() + first;
  float* score = scored_.Pointer<float>() + first;
  if (goal_->perturbed) {
    kernels_.perturb(upper, n, goal_->inverse_temperature, goal_->seed, goal_->position, first,
                     score);
  } else {
    std::copy_n(upper, n, score);
  }
  if (!goal_->mask.empty()) {
    static_assert(kStripRows == 64, "a strip is a word of the mask");
    const uint64_t word = goal_->mask[static_cast<size_t>(strip)];
    for (int64_t i = 0; i < n; ++i) {
      if ((word >> i & 1) == 0) score[i] = kNoScore;
    }
  }
  if (!goal_->allowed.empty()) {
    auto next = std::lower_bound(goal_->allowed.begin(), goal_->allowed.end(), first);
    for (int64_t i = 0; i < n; ++i) {
      const bool keep = next != goal_->allowed.end() && *next == first + i;
      if (keep) {
        ++next;
      } else {
        score[i] = kNoScore;
      }
    }
  }
  kernels::ScreenSummary summary{.largest_upper = kNoScore,
                                 .best_estimate = kNoScore,
                                 .best_row = static_cast<int32_t>(first)};
  const float factor = goal_->perturbed ? goal_->inverse_temperature : 1.0F;
  for (int64_t i = 0; i < n; ++i) {
    summary.largest_upper = std::max(summary.largest_upper, score[i]);
    const float value = score[i] + (estimate[i] - upper[i]) * factor;
    if (value > summary.best_estimate) {
      summary.best_estimate = value;
      summary.best_row = static_cast<int32_t>(first + i);
    }
  }
  strips_[static_cast<size_t>(strip)] = summary;
}

float Scores::ValueAt(int32_t row, float logit) const {
  if (!goal_->perturbed) return logit;
  return upper_[row] +
         (logit - screened_->upper.Pointer<float>()[row]) * goal_->inverse_temperature;
}

float Scores::BoundAt(int32_t row, float upper) const {
  if (!goal_->perturbed) return upper;
  const double score = upper_[row];
  const double screened = screened_->upper.Pointer<float>()[row];
  const double factor = goal_->inverse_temperature;
  const double refined = upper;
  // The two values were rounded once each: at most a unit in the last place of the largest term.
  const double slack =
      0x1p-22 * (std::fabs(score) + (std::fabs(refined) + std::fabs(screened)) * factor);
  return static_cast<float>(score + (refined - screened) * factor + slack) + 0x1p-120F;
}

float Scores::ForecastBound(int64_t row) const {
  const float bound = LogitBound(row);
  const float radius = std::max(0.0F, bound - screened_->estimate.Pointer<float>()[row]);
  return bound - radius * (1.0F - kThreeBitsRadius);
}

RowsLeft Scores::Forecast(std::span<const int32_t> strips, float threshold) const {
  const float* screened = screened_->upper.Pointer<float>();
  const float* estimate = screened_->estimate.Pointer<float>();
  const float factor = goal_->perturbed ? goal_->inverse_temperature : 1.0F;
  const size_t stride = std::max<size_t>(1, strips.size() / kSampledStrips);
  RowsLeft found;
  size_t sampled = 0;
  for (size_t s = 0; s < strips.size(); s += stride, ++sampled) {
    const int64_t first = strips[s] * kStripRows;
    const int64_t last = std::min(first + kStripRows, num_rows_);
    int32_t reach = 0;
    int32_t two = 0;
    int32_t three = 0;
    for (int64_t i = first; i < last; ++i) {
      const float radius = (screened[i] - estimate[i]) * factor;
      reach += upper_[i] >= threshold ? 1 : 0;
      two += upper_[i] - radius * (1.0F - kTwoBitsRadius) >= threshold ? 1 : 0;
      three += upper_[i] - radius * (1.0F - kThreeBitsRadius) >= threshold ? 1 : 0;
    }
    found.now += reach;
    found.after_two_bits += two;
    found.after_three_bits += three;
  }
  const double share =
      sampled == 0 ? 0.0 : static_cast<double>(strips.size()) / static_cast<double>(sampled);
  return {.now = found.now * share,
          .after_two_bits = found.after_two_bits * share,
          .after_three_bits = found.after_three_bits * share};
}

}  // namespace headway::lmhead
