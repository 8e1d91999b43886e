#include "lmhead/candidates.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace headway::lmhead {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

}  // namespace

Candidates::Candidates(ExactRows* exact, int64_t num_rows, const kernels::KernelSet& kernels,
                       ThreadPool* pool)
    : exact_(exact),
      kernels_(kernels),
      pool_(pool),
      logits_(static_cast<size_t>(num_rows) * sizeof(float)),
      exact_bits_((static_cast<size_t>(num_rows) + 63) / 64) {
  // Lists are as long as they can get, so that a step allocates nothing; what is not touched takes
  // no memory.
  const auto rows = static_cast<size_t>(num_rows);
  candidates_.reserve(rows);
  values_.reserve(rows);
  sorted_values_.reserve(rows);
  strips_.reserve(rows);
}

void Candidates::Begin(int64_t state, const SearchGoal* goal) {
  std::fill(exact_bits_.begin(), exact_bits_.end(), 0);
  candidates_.clear();
  values_.clear();
  num_rows_ = 0;
  num_strips_ = 0;
  outside_ = kMinusInfinity;
  theta_ = goal->at_least.value_or(kMinusInfinity);
  state_ = state;
  goal_ = goal;
  if (!goal->known_ids.empty()) EnterKnown();
}

// Of the known rows only those stay that can matter: listing all would cost more than the rest of a
// search.
void Candidates::EnterKnown() {
  for (size_t i = 0; i < goal_->known_ids.size(); ++i) {
    const int32_t id = goal_->known_ids[i];
    exact_bits_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
    candidates_.push_back({.id = id, .logit = goal_->known_logits[i]});
    values_.push_back(ValueOf(candidates_.back()));
  }
  UpdateTheta();
  size_t kept = 0;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const bool changed =
        std::binary_search(goal_->changed.begin(), goal_->changed.end(), candidates_[i].id);
    if (!changed && (values_[i] < theta_ || values_[i] == kMinusInfinity)) continue;
    candidates_[kept] = candidates_[i];
    values_[kept++] = values_[i];
  }
  candidates_.resize(kept);
  values_.resize(kept);
}

void Candidates::Evaluate(std::span<const int32_t> rows) {
  const size_t first_new = candidates_.size();
  strips_.clear();
  for (const int32_t row : rows) {
    if (IsExact(row)) continue;
    exact_bits_[static_cast<size_t>(row) / 64] |= uint64_t{1} << (row % 64);
    candidates_.push_back({.id = row});
    strips_.push_back(exact_->StripOf(row));
  }
  if (candidates_.size() == first_new) return;
  std::sort(strips_.begin(), strips_.end());
  strips_.erase(std::unique(strips_.begin(), strips_.end()), strips_.end());
  const auto num_strips = static_cast<int64_t>(strips_.size());
  float* logits = logits_.Pointer<float>();
  queue_.Reset();
  pool_->Run([&](int) {
    int64_t strip = 0;
    int64_t end = 0;
    while (queue_.Take(num_strips, 1, &strip, &end)) {
      exact_->Compute(strips_[static_cast<size_t>(strip)], state_, logits);
    }
  });
  for (size_t i = first_new; i < candidates_.size(); ++i) {
    candidates_[i].logit = logits[candidates_[i].id];
    values_.push_back(ValueOf(candidates_[i]));
  }
  num_rows_ += candidates_.size() - first_new;
  num_strips_ += strips_.size();
  UpdateTheta();
}

float Candidates::ValueOf(const Candidate& candidate) const {
  float value = candidate.logit;
  if (std::binary_search(goal_->changed.begin(), goal_->changed.end(), candidate.id)) {
    value = goal_->change(candidate.id, value);
  }
  if (!goal_->Allows(candidate.id)) return kMinusInfinity;
  if (!goal_->perturbed) return value;
  return kernels_
      .gumbel_argmax(&value, 1, goal_->inverse_temperature, goal_->seed, goal_->position,
                     candidate.id)
      .value;
}

void Candidates::UpdateTheta() {
  theta_ = std::max(goal_->at_least.value_or(kMinusInfinity), outside_);
  const auto keep = static_cast<size_t>(goal_->keep);
  if (keep == 0 || values_.size() < keep) return;
  if (keep == 1) {
    theta_ = std::max(theta_, *std::max_element(values_.begin(), values_.end()) - goal_->margin);
    return;
  }
  sorted_values_ = values_;
  const auto place = sorted_values_.begin() + static_cast<std::ptrdiff_t>(keep - 1);
  std::nth_element(sorted_values_.begin(), place, sorted_values_.end(), std::greater<>());
  theta_ = std::max(theta_, *place);
}

void Candidates::Sort() {
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

}  // namespace headway::lmhead
