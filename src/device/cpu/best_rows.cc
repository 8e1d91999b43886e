#include "device/cpu/best_rows.h"

#include <algorithm>
#include <cmath>

namespace headway::cpu {
namespace {

bool Beats(const BestRow& a, const BestRow& b) {
  if (a.row < 0 || b.row < 0) return b.row < 0;
  const bool a_is_finite = std::isfinite(a.logit);
  if (a_is_finite != std::isfinite(b.logit)) return !a_is_finite;
  if (!a_is_finite || a.logit == b.logit) return a.row < b.row;
  return a.logit > b.logit;
}

}  // namespace

BestRows::BestRows(int num_members, int64_t max_tokens)
    : num_members_(num_members),
      max_tokens_(max_tokens),
      best_(static_cast<size_t>(num_members * max_tokens)),
      logits_(static_cast<size_t>(num_members * max_tokens * kLogits) * sizeof(float)) {}

void BestRows::Reset(int member, int64_t num_tokens) {
  std::fill_n(&Of(member, 0), num_tokens, BestRow{});
}

void BestRows::Offer(int member, int64_t token, std::span<const float> logits, int64_t first_row,
                     const kernels::KernelSet& kernels) {
  const auto count = static_cast<int64_t>(logits.size());
  int64_t at = 0;
  if (kernels.all_finite(logits.data(), count)) {
    at = kernels.argmax(logits.data(), count).index;
  } else {
    while (std::isfinite(logits[static_cast<size_t>(at)])) ++at;
  }
  const BestRow found{.logit = logits[static_cast<size_t>(at)], .row = first_row + at};
  BestRow& best = Of(member, token);
  if (Beats(found, best)) best = found;
}

BestRow BestRows::Winner(int64_t token) const {
  BestRow winner;
  for (int member = 0; member < num_members_; ++member) {
    const BestRow& best = best_[static_cast<size_t>(member * max_tokens_ + token)];
    if (best.row >= 0 && Beats(best, winner)) winner = best;
  }
  return winner;
}

}  // namespace headway::cpu
