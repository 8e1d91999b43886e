#include "engine/draft_length.h"

#include <algorithm>

namespace headway {
namespace {

// What a further token of a step is taken to cost while nobody has measured it, in plain steps. The
// measured values are 0.00 to 0.05 where the weights come from memory (docs/perf-log.md).
constexpr double kUnknownTokenCost = 0.1;
// Weight of a new time in the running mean, and what remains of old verdicts after each new one:
// about the last ten count.
constexpr double kNewCost = 0.2;
constexpr double kFade = 0.9;
// Gains kept to pay for later losses, in plain steps: a document that changes its nature after
// thousands of good tokens shall not draft at a loss for hundreds.
constexpr double kLargestCredit = 4.0;

}  // namespace

DraftLength::DraftLength(int64_t most_drafts)
    : cost_ns_(static_cast<size_t>(most_drafts) + 1, 0.0) {}

double DraftLength::AcceptanceRate() const { return (right_ + 1.0) / (right_ + wrong_ + 2.0); }

// The time of a step with that many drafts: measured, or from the nearest measured one below.
double DraftLength::CostNs(int64_t drafts) const {
  for (int64_t known = drafts; known >= 0; --known) {
    const double cost = cost_ns_[static_cast<size_t>(known)];
    if (cost > 0.0) {
      return cost + static_cast<double>(drafts - known) * kUnknownTokenCost * cost_ns_[0];
    }
  }
  return 0.0;
}

int64_t DraftLength::Best() const {
  constexpr int64_t kPlainStepsFirst = 2;
  if (plain_steps_ < kPlainStepsFirst) return 0;
  const double plain_ns = cost_ns_[0];
  const double rate = AcceptanceRate();
  int64_t best = 0;
  double best_speed = 1.0 / plain_ns;
  double expected_tokens = 1.0;
  double all_right = 1.0;  // probability that drafts 1 to k are right
  for (int64_t k = 1; k < static_cast<int64_t>(cost_ns_.size()); ++k) {
    all_right *= rate;
    expected_tokens += all_right;
    const double cost = CostNs(k);
    if (loss_ns_ + cost - plain_ns > kAllowedLoss * tokens_ * plain_ns) continue;
    if (expected_tokens / cost > best_speed) {
      best_speed = expected_tokens / cost;
      best = k;
    }
  }
  return best;
}

void DraftLength::SawStep(int64_t drafts, int64_t accepted, uint64_t ns) {
  const auto time = static_cast<double>(ns);
  double& cost = cost_ns_[static_cast<size_t>(drafts)];
  cost = cost == 0.0 ? time : cost + kNewCost * (time - cost);
  const auto chosen = static_cast<double>(accepted + 1);
  tokens_ += chosen;
  if (drafts == 0) {
    ++plain_steps_;
    return;
  }
  const double plain_ns = cost_ns_[0] > 0.0 ? cost_ns_[0] : time;
  loss_ns_ = std::max(loss_ns_ + time - chosen * plain_ns, -kLargestCredit * plain_ns);
  SawGuesses(accepted, accepted < drafts);
}

void DraftLength::SawGuesses(int64_t right, bool failed) {
  right_ = kFade * right_ + static_cast<double>(right);
  wrong_ = kFade * wrong_ + (failed ? 1.0 : 0.0);
}

}  // namespace headway
