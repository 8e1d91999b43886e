#include "sampling/sparse_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <string>

#include "sampling/kernels_fixture.h"

namespace headway::sampling {
namespace {

// Every row that the goal asks for, and a few others, as a search would bring them.
std::vector<SparseSampler::Entry> Entries(const SparseGoal& goal, const SparseSampler& sparse,
                                          const std::vector<float>& logits, uint64_t position,
                                          std::mt19937* random) {
  const SamplingParams& params = sparse.Params();
  std::vector<float> values = logits;
  for (const int32_t id : sparse.Changed()) {
    values[static_cast<size_t>(id)] = sparse.Change(id, values[static_cast<size_t>(id)]);
  }
  if (!sparse.Allowed().empty()) {
    for (size_t i = 0; i < values.size(); ++i) {
      const auto id = static_cast<int32_t>(i);
      if (!std::binary_search(sparse.Allowed().begin(), sparse.Allowed().end(), id))
        values[i] = -INFINITY;
    }
  }
  if (goal.perturbed) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = values[i] * (1.0F / params.temperature) +
                  TestGumbel(params.seed, position, static_cast<int64_t>(i));
    }
  }
  std::vector<float> sorted = values;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  const auto keep = std::min(sorted.size(), static_cast<size_t>(goal.keep));
  const float least = sorted[keep - 1] - goal.margin;
  std::vector<SparseSampler::Entry> entries;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const bool changed = std::binary_search(sparse.Changed().begin(), sparse.Changed().end(), id);
    if (values[i] >= least || changed || (*random)() % 50 == 0) {
      entries.push_back({.id = id, .logit = logits[i]});
    }
  }
  return entries;
}

TEST(SparseSampler, ChoosesWhatTheSamplerChoosesFromTheWholeRow) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  ThreadPool pool(1);
  int compared = 0;
  for (int repeat = 0; repeat < 3000; ++repeat) {
    const int64_t V = 200 + static_cast<int64_t>(random() % 800);
    std::vector<float> logits(static_cast<size_t>(V));
    for (float& logit : logits) logit = std::round(normal(random) * 24.0F) / 8.0F;  // ties
    const auto id = [&] { return static_cast<int32_t>(random() % static_cast<uint64_t>(V)); };
    SamplingParams params;
    params.seed = random();
    params.temperature = std::array{0.0F, 0.7F, 1.0F, 2.0F}[random() % 4];
    params.top_k = std::array{0, 0, 1, 7, 40}[random() % 5];
    params.top_p = std::array{1.0F, 1.0F, 0.9F, 0.3F}[random() % 4];
    params.min_p = std::array{0.0F, 0.0F, 0.05F, 0.5F}[random() % 4];
    if (random() % 2 == 0) params.repeat_penalty = 1.4F;
    if (random() % 3 == 0) params.presence_penalty = 0.7F;
    if (random() % 3 == 0) params.frequency_penalty = -0.3F;
    params.repeat_last_n = 10;
    if (random() % 3 == 0) {
      for (int i = 0; i < 4; ++i) params.logit_bias.emplace_back(id(), normal(random));
      params.logit_bias.emplace_back(id(), -INFINITY);
    }
    if (random() % 4 == 0) {
      for (int i = 0; i < 60; ++i) params.allow_ids.push_back(id());
    }
    std::vector<int32_t> history;
    for (int i = 0; i < 20; ++i) history.push_back(id());
    SparseGoal goal = SparseGoalOf(params, V);
    if (!goal.possible || goal.keep == 0) continue;
    SparseSampler sparse(params, V, TestKernels());
    if (!sparse.Allowed().empty()) {
      goal.keep = std::min(goal.keep, static_cast<int64_t>(sparse.Allowed().size()));
    }
    sparse.SetHistory(history);
    const auto position = static_cast<uint64_t>(repeat);
    const auto entries = Entries(goal, sparse, logits, position, &random);
    const Sampler::Choice found = sparse.Choose(entries, position);
    Sampler sampler(params, V, TestKernels(), pool);
    const Sampler::Choice expected = sampler.Sample(logits, position, history);
    ASSERT_EQ(found.token, expected.token) << repeat;
    ASSERT_EQ(found.logit, expected.logit) << repeat;
    ++compared;
  }
  EXPECT_GT(compared, 1500);
}

// A row of logits of some shape, many of them with ties.
std::vector<float> Shape(int kind, size_t num_rows, std::mt19937* random) {
  std::normal_distribution<float> normal;
  std::vector<float> logits(num_rows);
  const float scale = std::array{0.5F, 2.0F, 5.0F}[(*random)() % 3];
  for (float& logit : logits) logit = normal(*random) * scale;
  const auto any = [&]() -> float& { return logits[(*random)() % num_rows]; };
  switch (kind) {
    case 0:  // all equal
      std::fill(logits.begin(), logits.end(), 1.5F);
      break;
    case 1:  // few different ones
      for (float& logit : logits) logit = std::round(logit / scale) * 2.0F;
      break;
    case 2:  // one row is all
      any() = 60.0F;
      break;
    case 3:  // a few stand out
      for (int i = 0; i < 12; ++i) any() = 4.0F * scale + normal(*random);
      break;
    case 4:  // beyond the range of masses
      for (float& logit : logits) logit *= 30.0F;
      break;
    default:
      break;
  }
  return logits;
}

// What a search would know of one position, by the masses of the whole row.
class WinnerFirst {
 public:
  WinnerFirst(const SamplingParams& params, const std::vector<float>& logits, uint64_t position)
      : logits_(logits),
        position_(position),
        goal_(SparseGoalOf(params, static_cast<int64_t>(logits.size()))),
        sparse_(params, static_cast<int64_t>(logits.size()), TestKernels()) {}

  void SetHistory(std::span<const int32_t> history) {
    sparse_.SetHistory(history);
    values_ = logits_;
    for (const int32_t id : sparse_.Changed()) At(id) = sparse_.Change(id, At(id));
    const auto allowed = sparse_.Allowed();
    for (size_t i = 0; i < values_.size() && !allowed.empty(); ++i) {
      if (!std::binary_search(allowed.begin(), allowed.end(), static_cast<int32_t>(i)))
        values_[i] = -INFINITY;
    }
    winner_ = sparse_.ChooseUnfiltered(Rows([](size_t) { return true; }), position_);
    order_.resize(values_.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](size_t a, size_t b) { return values_[a] > values_[b]; });
  }

  size_t Winner() const { return static_cast<size_t>(winner_.token); }
  // Of the ranking.
  size_t RowAt(size_t rank) const { return order_[rank]; }
  float ValueAt(size_t rank) const { return values_[order_[rank]]; }
  double MassOf(size_t row) const {
    return static_cast<double>(mass_.Mass(ValueAt(0) - values_[row]));
  }

  // The choice from the rows of at least `below`, those of `others` and those that are changed,
  // but for `lost` ones; the rest of the mass known up to `factor`.
  std::optional<Sampler::Choice> Choose(float below, double factor, const std::vector<bool>& others,
                                        const std::vector<bool>& lost) {
    const auto changed = sparse_.Changed();
    double rest = 0.0;
    const auto entries = Rows([&](size_t i) {
      const bool is_changed =
          std::binary_search(changed.begin(), changed.end(), static_cast<int32_t>(i));
      const bool found = (values_[i] >= below && !lost[i]) || is_changed || others[i];
      if (!found && !lost[i]) rest += MassOf(i);
      return found;
    });
    const int64_t count = goal_.keep > 0 ? goal_.keep : -1;
    return sparse_.ChooseFrom(entries, position_, winner_,
                              {.below = below, .count = count, .mass = rest * factor});
  }

 private:
  float& At(int32_t id) { return values_[static_cast<size_t>(id)]; }
  template <typename Takes>
  std::vector<SparseSampler::Entry> Rows(const Takes& takes) const {
    std::vector<SparseSampler::Entry> rows;
    for (size_t i = 0; i < logits_.size(); ++i) {
      if (takes(i)) rows.push_back({.id = static_cast<int32_t>(i), .logit = logits_[i]});
    }
    return rows;
  }

  const std::vector<float>& logits_;
  uint64_t position_;
  SparseGoal goal_;
  SparseSampler sparse_;
  SoftmaxMass mass_;
  std::vector<float> values_;  // after penalty, bias and allow-list
  std::vector<size_t> order_;
  Sampler::Choice winner_;
};

TEST(SparseSampler, WhatItChoosesFromSomeRows_IsTheSamplersChoice) {
  std::mt19937 random(2);
  ThreadPool pool(1);
  std::map<std::string, std::array<int, 2>> outcomes;  // how many were decided, and how many not
  for (int repeat = 0; repeat < 20000; ++repeat) {
    const size_t V = 100 + random() % 300;
    const std::vector<float> logits = Shape(static_cast<int>(random() % 8), V, &random);
    const auto id = [&] { return static_cast<int32_t>(random() % V); };
    SamplingParams params;
    params.seed = random();
    params.temperature = std::array{0.3F, 0.7F, 1.0F, 1.3F, 2.0F}[random() % 5];
    params.top_p =
        std::array{0.1F, 0.3F, 0.5F, 0.7F, 0.9F, 0.95F, 0.99F, 1e-6F, 1.0F}[random() % 9];
    params.top_k = std::array{0, 0, 1, 3, 40, 100, 1000}[random() % 7];
    params.min_p = std::array{0.0F, 0.0F, 0.0F, 0.05F, 0.5F}[random() % 5];
    if (random() % 4 == 0) params.repeat_penalty = 1.4F;
    params.repeat_last_n = 10;
    if (random() % 4 == 0) params.logit_bias = {{id(), -INFINITY}, {id(), 3.0F}};
    if (random() % 5 == 0) {
      for (int i = 0; i < 60; ++i) params.allow_ids.push_back(id());
    }
    const auto cuts = [&](int32_t k) { return k > 0 && static_cast<size_t>(k) < V; };
    if (!cuts(params.top_k) && params.top_p == 1.0F) continue;
    std::vector<int32_t> history;
    for (int i = 0; i < 20; ++i) history.push_back(id());
    const auto position = static_cast<uint64_t>(repeat);
    WinnerFirst search(params, logits, position);
    search.SetHistory(history);
    std::vector<float> copy = logits;
    Sampler sampler(params, static_cast<int64_t>(V), TestKernels(), pool);
    const Sampler::Choice expected = sampler.Sample(copy, position, history);

    // From where on rows are missing: anywhere, and above the winner or not.
    const float below = search.ValueAt(random() % V);
    if (below == -INFINITY) continue;
    std::vector<bool> others(V);
    for (size_t i = 0; i < V; ++i) others[i] = random() % 20 == 0;
    const double factor = std::array{1.0, 1.0, 1.5, 100.0}[random() % 4];
    const auto found = search.Choose(below, factor, others, std::vector<bool>(V));
    const std::string kind = cuts(params.top_k)    ? params.top_p < 1.0F ? "top-k, top-p" : "top-k"
                             : params.min_p > 0.0F ? "top-p, min-p"
                                                   : "top-p";
    ++outcomes[kind][found ? 0 : 1];
    if (!found) continue;
    ASSERT_EQ(found->token, expected.token) << repeat << " " << kind << " p " << params.top_p;
    ASSERT_EQ(found->logit, expected.logit) << repeat;
  }
  EXPECT_EQ(outcomes.size(), 4U);
  for (const auto& [kind, counts] : outcomes) {
    EXPECT_GT(counts[0], 500) << kind;
    EXPECT_GT(counts[1], 10) << kind;
  }
}

// Top-p without top-k allows for rows that a search has lost, up to a share of the mass.
TEST(SparseSampler, LostRows_UpToTheirShare_ChangeNoChoice) {
  std::mt19937 random(3);
  ThreadPool pool(1);
  int decided = 0;
  int lost_before = 0;  // a row that comes before the choice was lost
  for (int repeat = 0; repeat < 20000; ++repeat) {
    const size_t V = 100 + random() % 200;
    const std::vector<float> logits = Shape(3 + static_cast<int>(random() % 3), V, &random);
    SamplingParams params{.temperature = 1.0F, .seed = random()};
    params.top_p = 0.02F + 0.97F * static_cast<float>(random() % 1000) / 1000.0F;
    const auto position = static_cast<uint64_t>(repeat);
    WinnerFirst search(params, logits, position);
    search.SetHistory({});
    std::vector<float> copy = logits;
    Sampler sampler(params, static_cast<int64_t>(V), TestKernels(), pool);
    const Sampler::Choice expected = sampler.Sample(copy, position, {});

    double whole = 0.0;
    for (size_t i = 0; i < V; ++i) whole += search.MassOf(i);
    std::vector<bool> lost(V);
    double room = kLostShare * whole;
    bool before = false;
    for (size_t rank = 1; rank < V; ++rank) {
      const size_t row = search.RowAt(rank);
      const bool needed = row == search.Winner() || row == static_cast<size_t>(expected.token);
      if (needed || search.MassOf(row) > room) continue;
      lost[row] = true;
      room -= search.MassOf(row);
      before = before || search.ValueAt(rank) > logits[static_cast<size_t>(expected.token)];
    }
    const float below = search.ValueAt(random() % V);
    const auto found = search.Choose(below, 1.0, std::vector<bool>(V), lost);
    if (!found) continue;
    ++decided;
    lost_before += before ? 1 : 0;
    ASSERT_EQ(found->token, expected.token) << repeat << " p " << params.top_p;
  }
  EXPECT_GT(decided, 5000);
  EXPECT_GT(lost_before, 100);
}

}  // namespace
}  // namespace headway::sampling
