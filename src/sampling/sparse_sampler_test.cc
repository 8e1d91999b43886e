#include "sampling/sparse_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <random>

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

// The way of SparseGoal::winner_first, given every row: the choice, or nothing when the filters
// drop the winner.
std::optional<Sampler::Choice> WinnerFirst(SparseSampler* sparse, std::span<const float> logits,
                                           uint64_t position) {
  std::vector<SparseSampler::Entry> entries;
  for (size_t i = 0; i < logits.size(); ++i) {
    entries.push_back({.id = static_cast<int32_t>(i), .logit = logits[i]});
  }
  const Sampler::Choice winner = sparse->ChooseUnfiltered(entries, position);
  const float least = sparse->Change(winner.token, winner.logit);
  std::erase_if(entries, [&](const SparseSampler::Entry& entry) {
    return sparse->Change(entry.id, entry.logit) < least;
  });
  if (!sparse->Keeps(entries, winner)) return {};
  return winner;
}

TEST(SparseSampler, ChoosesWhatTheSamplerChoosesFromTheWholeRow) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  ThreadPool pool(1);
  int compared = 0;
  int kept = 0;
  int dropped = 0;
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
    if (!goal.possible) continue;
    SparseSampler sparse(params, V, TestKernels());
    if (!sparse.Allowed().empty()) {
      goal.keep = std::min(goal.keep, static_cast<int64_t>(sparse.Allowed().size()));
    }
    sparse.SetHistory(history);
    const auto position = static_cast<uint64_t>(repeat);
    const auto entries = Entries(goal, sparse, logits, position, &random);
    const Sampler::Choice found = sparse.Choose(entries, position);
    std::optional<Sampler::Choice> winner;
    if (goal.winner_first) winner = WinnerFirst(&sparse, logits, position);
    Sampler sampler(params, V, TestKernels(), pool);
    const Sampler::Choice expected = sampler.Sample(logits, position, history);
    ASSERT_EQ(found.token, expected.token) << repeat;
    ASSERT_EQ(found.logit, expected.logit) << repeat;
    ++compared;
    if (!goal.winner_first) continue;
    if (winner) {
      ASSERT_EQ(winner->token, expected.token) << repeat;
    }
    ++(winner ? kept : dropped);
  }
  EXPECT_GT(kept, 100);
  EXPECT_GT(dropped, 100);
  EXPECT_GT(compared, 2000);
}

}  // namespace
}  // namespace headway::sampling
