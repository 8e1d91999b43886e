#include "lmhead/rest_mass.h"

#include <algorithm>
#include <array>
#include <atomic>

namespace headway::lmhead {
namespace {

// Rows that a thread takes at a time.
constexpr int64_t kMassRows = 8192;
// Rows that a plan looks at.
constexpr int64_t kPlanRows = 16384;
// Masses by whole nats below the best: at 32 they are zero.
constexpr size_t kNats = 32;
// Of the room: for the rows that are left as they are, and for all.
constexpr double kUntouched = 0.25;
constexpr double kPromising = 0.75;

}  // namespace

double RestMass::Sum(const Scores& scores, const Candidates& candidates, float best) noexcept {
  const auto mass_of = [&](int64_t row) { return mass_.Mass(best - scores.LogitBound(row)); };
  std::atomic<uint64_t> total{0};
  queue_.Reset();
  pool_->Run([&](int) {
    uint64_t sum = 0;
    int64_t row = 0;
    int64_t end = 0;
    while (queue_.Take(scores.NumRows(), kMassRows, &row, &end)) {
      for (; row < end; ++row) sum += mass_of(row);
    }
    total.fetch_add(sum);
  });
  uint64_t found = 0;
  for (const Candidate& row : candidates.Rows()) found += mass_of(row.id);
  return static_cast<double>(total.load() - found);
}

MassPlan RestMass::Plan(const Scores& scores, const Candidates& candidates, float best,
                        double room) const {
  struct Nat {
    double now = 0.0;
    double after_three_bits = 0.0;
    double rows = 0.0;
  };
  std::array<Nat, kNats> nats{};
  const int64_t stride = std::max<int64_t>(1, scores.NumRows() / kPlanRows);
  const auto scale = static_cast<double>(stride);
  for (int64_t i = 0; i < scores.NumRows(); i += stride) {
    const auto row = static_cast<int32_t>(i);
    const float bound = scores.LogitBound(row);
    const float distance = sampling::SoftmaxMass::Clamp(best - bound);
    if (candidates.IsExact(row) || distance >= static_cast<float>(kNats)) continue;
    Nat& nat = nats[static_cast<size_t>(distance)];
    nat.now += scale * static_cast<double>(mass_.Mass(distance));
    nat.after_three_bits +=
        scale * static_cast<double>(mass_.Mass(best - scores.ForecastBound(row)));
    nat.rows += scale;
  }
  // From the deepest on as many as may stay as they are.
  size_t end = kNats;
  double left = 0.0;
  while (end > 0 && left + nats[end - 1].now <= kUntouched * room) left += nats[--end].now;
  MassPlan plan{.is_promising = false, .from = best - static_cast<float>(end), .rows = 0.0};
  for (size_t nat = 0; nat < end; ++nat) {
    left += nats[nat].after_three_bits;
    plan.rows += nats[nat].rows;
  }
  plan.is_promising = left <= kPromising * room;
  return plan;
}

}  // namespace headway::lmhead
