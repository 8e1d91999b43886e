#include "sampling/sparse_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"

namespace headway::sampling {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
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
    goal.num_winners = params.top_k;
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
  if (params_.repeat_penalty != 1.0F) {
    const size_t window =
        params_.repeat_last_n < 0
            ? history.size()
            : std::min(history.size(), static_cast<size_t>(params_.repeat_last_n));
    for (const int32_t id : history.last(window)) {
      if (id >= 0 && id < vocab_size_) penalised_.push_back(id);
    }
    std::sort(penalised_.begin(), penalised_.end());
    penalised_.erase(std::unique(penalised_.begin(), penalised_.end()), penalised_.end());
  }
  changed_ = penalised_;
  for (const auto& [id, bias] : params_.logit_bias) changed_.push_back(id);
  std::sort(changed_.begin(), changed_.end());
  changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
}

bool SparseSampler::IsPenalised(int32_t id) const {
  return std::binary_search(penalised_.begin(), penalised_.end(), id);
}

float SparseSampler::Change(int32_t id, float logit) const {
  if (IsPenalised(id)) {
    logit = logit > 0.0F ? logit / params_.repeat_penalty : logit * params_.repeat_penalty;
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

Sampler::Choice SparseSampler::Choose(std::span<const Entry> entries, uint64_t position) {
  ranked_.clear();
  for (const Entry& entry : entries) {
    const bool allowed =
        allowed_.empty() || std::binary_search(allowed_.begin(), allowed_.end(), entry.id);
    ranked_.push_back({.id = entry.id,
                       .value = allowed ? Change(entry.id, entry.logit) : kMinusInfinity,
                       .logit = entry.logit});
  }
  std::sort(ranked_.begin(), ranked_.end(), [](const Ranked& a, const Ranked& b) {
    return a.value != b.value ? a.value > b.value : a.id < b.id;
  });
  HW_CHECK(!ranked_.empty() && ranked_.front().value > kMinusInfinity,
           "a token that may be chosen is among the entries");
  const bool greedy = params_.temperature == 0.0F;
  size_t best = 0;
  if (!greedy) {
    const size_t kept = filters_ ? NumKept(ranked_) : ranked_.size();
    float best_value = kMinusInfinity;
    for (size_t i = 0; i < kept; ++i) {
      const float value = kernels_
                              .gumbel_argmax(&ranked_[i].value, 1, inverse_temperature_,
                                             params_.seed, position, ranked_[i].id)
                              .value;
      const bool better =
          i == 0 || value > best_value || (value == best_value && ranked_[i].id < ranked_[best].id);
      if (better) {
        best = i;
        best_value = value;
      }
    }
  }
  return {.token = ranked_[best].id, .logit = ranked_[best].logit, .logprob = 0.0F};
}

}  // namespace headway::sampling
