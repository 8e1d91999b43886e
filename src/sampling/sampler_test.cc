#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "sampling/kernels_fixture.h"

namespace headway::sampling {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

struct Candidate {
  float logit;
  int32_t id;
};

// The order of steps in docs/sampling.md as plainly as it can be written: sort everything, use
// doubles.
std::vector<Candidate> SlowCandidates(const SamplingParams& params, std::vector<float> logits,
                                      std::span<const int32_t> history) {
  const size_t window = params.repeat_last_n < 0
                            ? history.size()
                            : std::min(history.size(), static_cast<size_t>(params.repeat_last_n));
  const auto recent = history.last(window);
  for (const int32_t id : std::set<int32_t>(recent.begin(), recent.end())) {
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit > 0 ? logit / params.repeat_penalty : logit * params.repeat_penalty;
    const auto count = static_cast<float>(std::count(recent.begin(), recent.end(), id));
    if (params.presence_penalty != 0.0F || params.frequency_penalty != 0.0F)
      logit -= count * params.frequency_penalty + params.presence_penalty;
  }
  for (const auto& [id, bias] : params.logit_bias) logits[static_cast<size_t>(id)] += bias;
  std::vector<Candidate> kept;
  const std::set<int32_t> allowed(params.allow_ids.begin(), params.allow_ids.end());
  for (size_t i = 0; i < logits.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    if (allowed.empty() || allowed.count(id) != 0) kept.push_back({.logit = logits[i], .id = id});
  }
  std::stable_sort(kept.begin(), kept.end(),
                   [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
  if (params.top_k > 0 && kept.size() > static_cast<size_t>(params.top_k)) {
    kept.resize(static_cast<size_t>(params.top_k));
  }
  if (params.top_p < 1.0F) {
    double total = 0;
    for (const Candidate& c : kept) total += std::exp(double{c.logit} - kept[0].logit);
    double mass = 0;
    size_t n = 0;
    while (n < kept.size() && (n == 0 || mass < double{params.top_p} * total)) {
      mass += std::exp(double{kept[n++].logit} - kept[0].logit);
    }
    kept.resize(n);
  }
  if (params.min_p > 0.0F) {
    const float least = kept[0].logit + static_cast<float>(std::log(double{params.min_p}));
    while (kept.back().logit < least) kept.pop_back();
  }
  return kept;
}

int32_t SlowSample(const SamplingParams& params, const std::vector<float>& logits,
                   uint64_t position, std::span<const int32_t> history) {
  const std::vector<Candidate> kept = SlowCandidates(params, logits, history);
  if (params.temperature == 0.0F) return kept[0].id;
  Candidate best = {.logit = kMinusInfinity, .id = std::numeric_limits<int32_t>::max()};
  for (const Candidate& c : kept) {
    const float value =
        c.logit * (1.0F / params.temperature) + TestGumbel(params.seed, position, c.id);
    if (value > best.logit || (value == best.logit && c.id < best.id)) {
      best = {.logit = value, .id = c.id};
    }
  }
  return best.id;
}

class Case {
 public:
  explicit Case(uint64_t seed) : random_(seed) {
    static constexpr int64_t kSizes[] = {1, 2, 63, 64, 65, 1000, 3001, 9001};
    vocab_size_ = kSizes[Below(8)];
    FillLogits();
    params_.seed = random_();
    static constexpr float kTemperatures[] = {0.0F, 1.0F, 0.7F, 2.5F, 1e-6F};
    static constexpr float kTopPs[] = {1.0F, 1.0F, 0.95F, 0.9F, 0.5F, 0.1F, 1e-7F, 0.99999994F};
    static constexpr float kMinPs[] = {0.0F, 0.0F, 0.05F, 0.5F, 1.0F, 1e-9F};
    static constexpr int32_t kTopKs[] = {0, 0, 1, 2, 40, 500, 100000};
    params_.temperature = kTemperatures[Below(5)];
    params_.top_p = kTopPs[Below(8)];
    params_.min_p = kMinPs[Below(6)];
    params_.top_k = kTopKs[Below(7)];
    if (Below(3) == 0) FillHistory();
    if (Below(4) == 0) {
      for (int i = 0; i < 5; ++i) params_.logit_bias.emplace_back(Id(), Normal() * 3);
    }
    if (Below(4) == 0) {
      for (uint64_t i = 0, n = 1 + Below(50); i < n; ++i) params_.allow_ids.push_back(Id());
    }
  }

  const SamplingParams& Params() const { return params_; }
  const std::vector<float>& Logits() const { return logits_; }
  const std::vector<int32_t>& History() const { return history_; }

 private:
  uint64_t Below(uint64_t n) { return random_() % n; }
  int32_t Id() { return static_cast<int32_t>(Below(static_cast<uint64_t>(vocab_size_))); }
  float Normal() { return normal_(random_); }

  void FillLogits() {
    logits_.resize(static_cast<size_t>(vocab_size_));
    const uint64_t kind = Below(7);
    const float spread = kind == 0 ? 0.01F : kind == 1 ? 1.0F : kind == 2 ? 10.0F : 3.0F;
    for (float& logit : logits_) {
      logit = Normal() * spread;
      if (kind == 3) logit = std::round(logit);                // many ties, both zeros
      if (kind == 4) logit = 1.5F;                             // all equal
      if (kind == 5 && Below(2) == 0) logit = kMinusInfinity;  // banned by an earlier stage
      if (kind == 6) logit = std::round(logit) * 40.0F;        // far beyond the last bucket
    }
    if (kind == 5) logits_[0] = 0.25F;
  }

  void FillHistory() {
    params_.repeat_penalty = Below(2) == 0 ? 1.3F : 0.8F;
    params_.repeat_last_n = static_cast<int32_t>(Below(150)) - 1;
    if (Below(3) == 0) params_.repeat_penalty = 1.0F;
    if (Below(2) == 0) params_.presence_penalty = Normal();
    if (Below(2) == 0) params_.frequency_penalty = Normal();
    for (int i = 0; i < 150; ++i) history_.push_back(Id());
  }

  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
  int64_t vocab_size_ = 0;
  SamplingParams params_;
  std::vector<float> logits_;
  std::vector<int32_t> history_;
};

class SamplerTest : public testing::TestWithParam<int> {};

TEST_P(SamplerTest, RandomCases_ChooseTheTokenOfTheSlowSampler) {
  ThreadPool pool(GetParam());
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const Case c(seed);
    Sampler sampler(c.Params(), static_cast<int64_t>(c.Logits().size()), TestKernels(), pool);
    for (uint64_t position = 0; position < 3; ++position) {
      std::vector<float> logits = c.Logits();
      const auto choice = sampler.Sample(logits, position, c.History());
      ASSERT_EQ(choice.token, SlowSample(c.Params(), c.Logits(), position, c.History()))
          << "case " << seed << ", position " << position << ", V " << logits.size();
      ASSERT_EQ(choice.logit, c.Logits()[static_cast<size_t>(choice.token)]);
    }
  }
}

TEST_P(SamplerTest, Logprob_IsTheLogSoftmaxOfTheModelsLogits) {
  ThreadPool pool(GetParam());
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Case c(seed);
    Sampler sampler(c.Params(), static_cast<int64_t>(c.Logits().size()), TestKernels(), pool);
    std::vector<float> logits = c.Logits();
    const auto choice = sampler.Sample(logits, 0, c.History(), true);
    const float max = *std::max_element(c.Logits().begin(), c.Logits().end());
    double total = 0;
    for (const float logit : c.Logits()) total += std::exp(double{logit} - max);
    const double expected = double{choice.logit} - max - std::log(total);
    if (choice.logit == kMinusInfinity) continue;  // an allow-list may leave only such tokens
    // Rounding of the masses (2^-40 each) and of the result (2^-24).
    EXPECT_NEAR(choice.logprob, expected, 1e-6 + std::abs(expected) * 1e-7) << "case " << seed;
  }
}

// What the slow sampler keeps, weighed by softmax(l / T); the token that is drawn among them.
TEST_P(SamplerTest, Probabilities_AreThoseOfWhatIsKept) {
  ThreadPool pool(GetParam());
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const Case c(seed);
    Sampler sampler(c.Params(), static_cast<int64_t>(c.Logits().size()), TestKernels(), pool);
    std::vector<float> logits = c.Logits();
    const int32_t token = sampler.Sample(logits, 7, c.History()).token;
    logits = c.Logits();
    const Distribution all =
        sampler.Probabilities(logits, c.History(), {}, static_cast<int64_t>(logits.size()), token);
    std::vector<Candidate> kept = SlowCandidates(c.Params(), c.Logits(), c.History());
    const float temperature = c.Params().temperature;
    if (temperature == 0.0F || kept[0].logit == kMinusInfinity) kept.resize(1);
    const auto weight = [&](const Candidate& candidate, float inverse_temperature) {
      if (kept.size() == 1) return 1.0;
      return std::exp((double{candidate.logit} - kept[0].logit) * double{inverse_temperature});
    };
    const float inverse = temperature > 0.0F ? 1.0F / temperature : 1.0F;
    while (weight(kept.back(), inverse) == 0.0) kept.pop_back();
    // Top-p is cut by masses, off by 2e-7 of themselves: what one of the two keeps beyond the other
    // weighs no more than that at both sides of the cut.
    double beyond = 0;
    while (kept.size() > all.best.size()) {
      beyond += weight(kept.back(), 1.0F);
      kept.pop_back();
    }
    double mass = 0;
    double mass_of_one = 0;
    for (const Candidate& candidate : kept) {
      mass += weight(candidate, inverse);
      mass_of_one += weight(candidate, 1.0F);
    }
    ASSERT_LT(beyond, 4e-7 * mass_of_one) << "case " << seed;
    ASSERT_EQ(all.best.size(), kept.size()) << "case " << seed;
    double chosen = 0;
    for (size_t i = 0; i < all.best.size(); ++i) {
      ASSERT_EQ(all.best[i].id, kept[i].id) << "case " << seed << ", place " << i;
      // Both in double; sums of 9,001 terms in different orders.
      ASSERT_NEAR(all.best[i].probability, weight(kept[i], inverse) / mass, 1e-12)
          << "case " << seed;
      if (kept[i].id == token) chosen = all.best[i].probability;
    }
    EXPECT_GT(chosen, 0) << "case " << seed;
    EXPECT_EQ(all.chosen, chosen) << "case " << seed;
    logits = c.Logits();
    const Distribution two = sampler.Probabilities(logits, c.History(), {}, 2, token);
    ASSERT_EQ(two.best.size(), std::min<size_t>(2, kept.size())) << "case " << seed;
    for (size_t i = 0; i < two.best.size(); ++i) EXPECT_EQ(two.best[i].id, all.best[i].id);
    EXPECT_EQ(two.chosen, chosen) << "case " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, SamplerTest, testing::Values(1, 2, 3));

TEST(Sampler, EverySetOfKernels_ChoosesTheSameTokens) {
  ThreadPool pool(2);
  for (uint64_t seed = 5000; seed < 5100; ++seed) {
    const Case c(seed);
    int32_t expected = -1;
    for (const kernels::KernelSet* set : kernels::SupportedSets()) {
      if (set == nullptr) break;
      const auto selected = kernels::SelectKernels(set->name);
      ASSERT_TRUE(selected.has_value());
      Sampler sampler(c.Params(), static_cast<int64_t>(c.Logits().size()), selected->kernels, pool);
      std::vector<float> logits = c.Logits();
      const int32_t token = sampler.Sample(logits, seed, c.History()).token;
      if (expected < 0) expected = token;
      EXPECT_EQ(token, expected) << set->name << ", case " << seed;
    }
  }
}

TEST(Sampler, EveryAllowedLogitMinusInfinity_LowestAllowedId) {
  ThreadPool pool(2);
  for (const float temperature : {0.0F, 1.0F}) {
    for (const float top_p : {1.0F, 0.5F}) {
      SamplingParams params = {.temperature = temperature, .top_p = top_p, .allow_ids = {90, 70}};
      Sampler sampler(params, 100, TestKernels(), pool);
      std::vector<float> logits(100, 1.0F);
      logits[70] = logits[90] = kMinusInfinity;
      EXPECT_EQ(sampler.Sample(logits, 0, {}).token, 70);
    }
  }
}

TEST(Sampler, HistoryIdsOutsideTheVocabulary_AreIgnored) {
  ThreadPool pool(1);
  Sampler sampler({.repeat_penalty = 2.0F}, 4, TestKernels(), pool);
  std::vector<float> logits = {1.0F, 3.0F, 2.0F, 0.0F};
  const std::vector<int32_t> history = {-1, 4, 1 << 30, 1};
  EXPECT_EQ(sampler.Sample(logits, 0, history).token, 2);  // 3 / 2 < 2
}

// Frequencies of many draws against the exact probabilities: Pearson's chi-square, cells of at
// least five expected draws. With about 30 degrees of freedom the statistic exceeds 73 with
// probability 2e-5; seeds are fixed.
TEST(Sampler, Frequencies_FollowTheSoftmaxOfTheCandidates) {
  ThreadPool pool(2);
  constexpr int kDraws = 40000;
  std::vector<float> model(30);
  std::mt19937_64 random(11);
  std::normal_distribution<float> normal(0, 1);
  for (float& logit : model) logit = normal(random);
  const SamplingParams cases[] = {
      {.temperature = 1.0F, .seed = 1},
      {.temperature = 0.7F, .seed = 2},
      {.temperature = 1.0F, .top_p = 0.8F, .seed = 3},
      {.temperature = 1.5F, .top_k = 12, .min_p = 0.05F, .seed = 4},
  };
  for (const SamplingParams& params : cases) {
    const std::vector<Candidate> kept = SlowCandidates(params, model, {});
    Sampler sampler(params, static_cast<int64_t>(model.size()), TestKernels(), pool);
    std::map<int32_t, int> counts;
    for (int i = 0; i < kDraws; ++i) {
      std::vector<float> logits = model;
      ++counts[sampler.Sample(logits, static_cast<uint64_t>(i), {}).token];
    }
    double total = 0;
    for (const Candidate& c : kept) total += std::exp(double{c.logit} / params.temperature);
    double statistic = 0;
    int drawn = 0;
    for (const Candidate& c : kept) {
      const double expected = kDraws * std::exp(double{c.logit} / params.temperature) / total;
      ASSERT_GE(expected, 5.0);
      statistic += (counts[c.id] - expected) * (counts[c.id] - expected) / expected;
      drawn += counts[c.id];
    }
    EXPECT_EQ(drawn, kDraws);  // nothing outside the candidates
    EXPECT_LT(statistic, 73.0) << "temperature " << params.temperature;
  }
}

}  // namespace
}  // namespace headway::sampling
