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
// A mass is off by a part of 2e-7 at most, and by one unit (docs/sampling.md): so that one of a
// larger distance may be larger by that much.
constexpr double kMassSlack = 1e-6;
// For sums and products in double precision.
constexpr double kRoundingSlack = 1e-12;

}  // namespace

SparseGoal SparseGoalOf(const SamplingParams& params, int64_t vocab_size) {
  SparseGoal goal;
  if (params.temperature == 0.0F) return goal;
  const bool cuts_count = params.top_k > 0 && params.top_k < vocab_size;
  if (cuts_count) {
    // The best k rows hold everything that top-p and min-p look at.
    goal.keep = params.top_k;
    goal.winner_first = true;
    goal.num_winners = int64_t{params.top_k} + 1;
    goal.possible = params.top_k <= kMostKept;
  } else if (params.top_p < 1.0F) {
    goal.keep = 0;
    goal.winner_first = true;
    goal.num_winners = kNucleusWinners;
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
      filters_(HasFilters(params_)),
      allowed_(params_.allow_ids) {
  HW_CHECK(Validate(params_, vocab_size).has_value(), "sampling parameters are validated first");
  if (params_.temperature > 0.0F) inverse_temperature_ = 1.0F / params_.temperature;
  std::sort(allowed_.begin(), allowed_.end());
  allowed_.erase(std::unique(allowed_.begin(), allowed_.end()), allowed_.end());
  // So that a step allocates nothing; a window without end has room for as many as there are ids.
  const auto window =
      static_cast<size_t>(params_.repeat_last_n < 0 ? vocab_size : int64_t{params_.repeat_last_n});
  penalised_.reserve(window);
  counts_.reserve(window);
  changed_.reserve(window + params_.logit_bias.size());
  ranked_.reserve(static_cast<size_t>(vocab_size));
  mass_before_.reserve(static_cast<size_t>(vocab_size) + 1);
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
  changed_.assign(penalised_.begin(), penalised_.end());
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

bool SparseSampler::MinPKeeps(float value) const {
  if (params_.min_p <= 0.0F) return true;
  return !(value < Best() + static_cast<float>(std::log(static_cast<double>(params_.min_p))));
}

// Of a row of that value and with that mass before it in the ranking, of which the first
// `num_complete` rows miss none but lost ones. Top-p keeps it when the mass before it is less than
// its share of the whole, which lies between what is known and that and the rest.
SparseSampler::Verdict SparseSampler::Judge(float value, uint64_t before, size_t num_complete,
                                            const RestOfRows& rest) {
  if (!MinPKeeps(value)) return Verdict::kDropped;
  if (params_.top_p == 1.0F || before == 0) return Verdict::kKept;
  const bool counted = rest.count >= 0;
  const double lost = counted ? 0.0 : kLostShare;
  const double share = params_.top_p;
  const auto units = static_cast<double>(vocab_size_);
  const auto mass_of = [&](size_t rows) { return static_cast<double>(mass_before_[rows]); };

  const size_t known =
      counted ? std::min(ranked_.size(), static_cast<size_t>(rest.count)) : ranked_.size();
  const double least = mass_of(known) * (1.0 - kMassSlack) - units;
  // Lost rows may stand before it, too.
  const double safe_share = share * (1.0 - kRoundingSlack) - lost;
  if (static_cast<double>(before) < safe_share * least) return Verdict::kKept;

  double others = rest.mass;
  if (counted) {
    const auto open = static_cast<double>(rest.count - static_cast<int64_t>(num_complete));
    others = open * static_cast<double>(mass_.Mass(Best() - rest.below));
  }
  const size_t summed = counted ? num_complete : ranked_.size();
  const double most = (mass_of(summed) + (others + units) * (1.0 + kMassSlack)) / (1.0 - lost) *
                      (1.0 + kRoundingSlack);
  const double target = std::max(1.0, std::ceil(share * most));
  const bool dropped = target < 0x1p63 && before >= static_cast<uint64_t>(target);
  if (dropped) return Verdict::kDropped;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto mass = static_cast<double>(before);
  missing_ = {.known = safe_share > 0.0 ? mass / (safe_share * least) : kInfinity,
              .room = mass * (1.0 - lost) / share - mass_of(summed) - units};
  return Verdict::kUnknown;
}

std::optional<Sampler::Choice> SparseSampler::ChooseFrom(std::span<const Entry> entries,
                                                         uint64_t position,
                                                         const Sampler::Choice& winner,
                                                         const RestOfRows& rest) {
  Rank(entries);
  const auto end = std::partition_point(ranked_.begin(), ranked_.end(),
                                        [&](const Ranked& row) { return row.value >= rest.below; });
  const auto num_complete = static_cast<size_t>(end - ranked_.begin());
  const auto all = std::span<const Ranked>(ranked_);
  if (num_complete == 0 || Best() == kRuledOut) return {};
  // All that the filters look at is there.
  if (rest.count >= 0 && num_complete >= static_cast<size_t>(rest.count))
    return Draw(all.first(NumKept(all)), position);

  mass_before_.assign(1, 0);
  for (const Ranked& row : ranked_)
    mass_before_.push_back(mass_before_.back() + mass_.Mass(Best() - row.value));
  // With the winner outside, none of the rows outside may be kept.
  const bool has_winner = Change(winner.token, winner.logit) >= rest.below;
  const float outside = std::nextafter(rest.below, kRuledOut);
  if (!has_winner &&
      Judge(outside, mass_before_[num_complete], num_complete, rest) != Verdict::kDropped) {
    return {};
  }
  for (size_t limit = num_complete; limit > 0;) {
    const Sampler::Choice choice = Draw(all.first(limit), position);
    const auto at = std::find_if(ranked_.begin(), end,
                                 [&](const Ranked& row) { return row.id == choice.token; });
    const auto rank = static_cast<size_t>(at - ranked_.begin());
    const Verdict verdict = Judge(at->value, mass_before_[rank], num_complete, rest);
    if (verdict == Verdict::kKept) return choice;
    if (verdict == Verdict::kUnknown) return {};
    limit = rank;  // what comes after it is dropped, too
  }
  return {};
}

}  // namespace headway::sampling
