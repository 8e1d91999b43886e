#include "sampling/sparse_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"
#include "sampling/penalties.h"

namespace headway::sampling {
namespace {

constexpr float kRuledOut = -std::numeric_limits<float>::infinity();
// From here on the best k are no longer few.
constexpr int32_t kMostKept = 1024;

}  // namespace

SparseGoal SparseGoalOf(const SamplingParams& params, int64_t vocab_size) {
  SparseGoal goal;
  if (params.temperature == 0.0F) return goal;
  const bool cuts_count = params.top_k > 0 && params.top_k < vocab_size;
  if (cuts_count) {
    // The best k rows hold everything that top-p and min-p look at.
    goal.keep = params.top_k;
    goal.winner_first = params.top_p == 1.0F;
    goal.num_winners = int64_t{params.top_k} + (goal.winner_first ? 1 : 0);
    goal.possible = params.top_k <= kMostKept;
  } else if (params.top_p < 1.0F) {
    goal.possible = false;
  } else if (params.min_p > 0.0F) {
    // The best row, and the one that is drawn.
    goal.margin = -static_cast<float>(std::log(static_cast<double>(params.min_p)));
    goal.num_winners = 2;
  } else {
    goal.perturbed = true;
  }
  return goal;
}

SparseSampler::SparseSampler(SamplingParams params, int64_t vocab_size,
                             const kernels::KernelSet& kernels)
    : params_(std::move(params)),
      kernels_(kernels),
      vocab_size_(vocab_size),
      filters_(params_.top_k > 0 || params_.top_p < 1.0F || params_.min_p > 0.0F),
      allowed_(params_.allow_ids) {
  HW_CHECK(Validate(params_, vocab_size).has_value(), "sampling parameters are validated first");
  if (params_.temperature > 0.0F) inverse_temperature_ = 1.0F / params_.temperature;
  std::sort(allowed_.begin(), allowed_.end());
  allowed_.erase(std::unique(allowed_.begin(), allowed_.end()), allowed_.end());
  ranked_.reserve(static_cast<size_t>(vocab_size));
}

void SparseSampler::SetHistory(std::span<const int32_t> history) {
  penalised_.clear();
  counts_.clear();
  if (HasPenalties(params_)) {
    for (const int32_t id : PenaltyWindow(params_, history)) {
      if (id >= 0 && id < vocab_size_) penalised_.push_back(id);
    }
    std::sort(penalised_.begin(), penalised_.end());
    for (size_t i = 0; i < penalised_.size(); ++i) {
      const bool is_new = i == 0 || penalised_[i] != penalised_[i - 1];
      if (is_new) counts_.push_back(0);
      ++counts_.back();
    }
    penalised_.erase(std::unique(penalised_.begin(), penalised_.end()), penalised_.end());
  }
  changed_ = penalised_;
  for (const auto& [id, bias] : params_.logit_bias) changed_.push_back(id);
  std::sort(changed_.begin(), changed_.end());
  changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
}

float SparseSampler::Change(int32_t id, float logit) const {
  const auto found = std::lower_bound(penalised_.begin(), penalised_.end(), id);
  if (found != penalised_.end() && *found == id) {
    logit =
        PenalisedLogit(params_, logit, counts_[static_cast<size_t>(found - penalised_.begin())]);
  }
  for (const auto& [biased, bias] : params_.logit_bias) {
    if (biased == id) logit += bias;
  }
  return logit;
}

// How many of the ranking's first tokens pass the filters: Sampler's cut.
size_t SparseSampler::NumKept(std::span<const Ranked> ranked) const {
  size_t kept = ranked.size();
  if (params_.top_k > 0) kept = std::min(kept, static_cast<size_t>(params_.top_k));
  const float max = ranked.front().value;
  if (params_.top_p < 1.0F) {
    uint64_t total = 0;
    for (size_t i = 0; i < kept; ++i) total += mass_.Mass(max - ranked[i].value);
    const double share = std::ceil(static_cast<double>(params_.top_p) * static_cast<double>(total));
    const uint64_t target = std::clamp<uint64_t>(static_cast<uint64_t>(share), 1, total);
    uint64_t mass = 0;
    for (size_t i = 0; i < kept; ++i) {
      mass += mass_.Mass(max - ranked[i].value);
      if (mass >= target) kept = i + 1;
    }
  }
  if (params_.min_p > 0.0F) {
    const float least = max + static_cast<float>(std::log(static_cast<double>(params_.min_p)));
    while (ranked[kept - 1].value < least) --kept;
  }
  return kept;
}

void SparseSampler::Rank(std::span<const Entry> entries) {
  ranked_.clear();
  for (const Entry& entry : entries) {
    const bool allowed =
        allowed_.empty() || std::binary_search(allowed_.begin(), allowed_.end(), entry.id);
    ranked_.push_back({.id = entry.id,
                       .value = allowed ? Change(entry.id, entry.logit) : kRuledOut,
                       .logit = entry.logit});
  }
  std::sort(ranked_.begin(), ranked_.end(), [](const Ranked& a, const Ranked& b) {
    return a.value != b.value ? a.value > b.value : a.id < b.id;
  });
}

Sampler::Choice SparseSampler::Draw(std::span<const Ranked> kept, uint64_t position) const {
  const Ranked* best = nullptr;
  float best_value = kRuledOut;
  for (const Ranked& row : kept) {
    const float value =
        kernels_.gumbel_argmax(&row.value, 1, inverse_temperature_, params_.seed, position, row.id)
            .value;
    const bool better =
        best == nullptr || value > best_value || (value == best_value && row.id < best->id);
    if (better) {
      best = &row;
      best_value = value;
    }
  }
  return {.token = best->id, .logit = best->logit, .logprob = 0.0F};
}

Sampler::Choice SparseSampler::Choose(std::span<const Entry> entries, uint64_t position) {
  Rank(entries);
  HW_CHECK(!ranked_.empty() && ranked_.front().value > kRuledOut,
           "a token that may be chosen is among the entries");
  if (params_.temperature == 0.0F) {
    return {.token = ranked_.front().id, .logit = ranked_.front().logit, .logprob = 0.0F};
  }
  const size_t kept = filters_ ? NumKept(ranked_) : ranked_.size();
  return Draw(std::span<const Ranked>(ranked_).first(kept), position);
}

Sampler::Choice SparseSampler::ChooseUnfiltered(std::span<const Entry> entries, uint64_t position) {
  Rank(entries);
  HW_CHECK(!ranked_.empty() && ranked_.front().value > kRuledOut,
           "a token that may be chosen is among the entries");
  return Draw(ranked_, position);
}

bool SparseSampler::Keeps(std::span<const Entry> entries, const Sampler::Choice& choice) {
  HW_CHECK(params_.top_p == 1.0F, "the rows after the choice have a say in top-p");
  Rank(entries);
  const float value = Change(choice.token, choice.logit);
  const auto ahead = std::partition_point(ranked_.begin(), ranked_.end(), [&](const Ranked& row) {
    return row.value > value || (row.value == value && row.id < choice.token);
  });
  const float best = ahead == ranked_.begin() ? value : ranked_.front().value;
  const auto rank = static_cast<int64_t>(ahead - ranked_.begin());
  const bool in_count = params_.top_k <= 0 || rank < params_.top_k;
  const bool in_share =
      params_.min_p <= 0.0F ||
      !(value < best + static_cast<float>(std::log(static_cast<double>(params_.min_p))));
  return in_count && in_share;
}

}  // namespace headway::sampling
