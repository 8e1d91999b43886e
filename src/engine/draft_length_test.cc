// Machines and texts played by numbers: how long a step of T tokens takes, and how often a draft is
// right.

#include "engine/draft_length.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

namespace headway {
namespace {

constexpr double kPlainNs = 1e6;

struct Played {
  double tokens_per_plain_step = 0;  // speed against plain decoding
  double lost_steps = 0;             // time beyond plain decoding's, in plain steps
  double drafts_per_step = 0;
};

// cost(k): time of a step with k drafts in plain steps. rate(token): how likely a draft is right.
Played Play(int64_t tokens, const std::function<double(int64_t)>& cost,
            const std::function<double(int64_t)>& rate, unsigned seed) {
  DraftLength length(7);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  std::normal_distribution<double> noise(0.0, 0.02);
  double time = 0;
  int64_t done = 0;
  int64_t steps = 0;
  int64_t drafted = 0;
  while (done < tokens) {
    const int64_t drafts = length.Best();
    int64_t accepted = 0;
    while (accepted < drafts && uniform(random) < rate(done)) ++accepted;
    const double ns = kPlainNs * cost(drafts) * std::max(0.5, 1.0 + noise(random));
    length.SawStep(drafts, accepted, static_cast<uint64_t>(ns));
    // Guesses that are not run cost nothing and are followed, as Speculator does.
    if (drafts == 0) {
      const bool right = uniform(random) < rate(done);
      length.SawGuesses(right ? 1 : 0, !right);
    }
    time += kPlainNs * cost(drafts);
    done += accepted + 1;
    drafted += drafts;
    ++steps;
  }
  return {static_cast<double>(done) * kPlainNs / time, time / kPlainNs - static_cast<double>(done),
          static_cast<double>(drafted) / static_cast<double>(steps)};
}

double FromMemory(int64_t drafts) { return 1.0 + 0.03 * static_cast<double>(drafts); }
double ByArithmetic(int64_t drafts) { return 1.0 + 1.0 * static_cast<double>(drafts); }
double AllAtOnce(int64_t drafts) { return drafts == 0 ? 1.0 : 2.5; }

TEST(DraftLengthTest, GoodDrafts_AreWorthTheirNumber) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    const Played played = Play(
        1000, FromMemory, [](int64_t) { return 0.9; }, seed);
    EXPECT_GT(played.tokens_per_plain_step, 3.5) << seed;
    EXPECT_GT(played.drafts_per_step, 5.0) << seed;
  }
}

// Whatever the machine and the text: at most 3 % slower than plain decoding, but for the first try
// of a step with one draft, whose cost nobody knew.
TEST(DraftLengthTest, UselessDrafts_CostNextToNothing) {
  for (const auto& cost : {FromMemory, ByArithmetic, AllAtOnce}) {
    for (const double rate : {0.0, 0.02, 0.1, 0.3, 0.6}) {
      for (unsigned seed = 0; seed < 5; ++seed) {
        for (const int64_t tokens : {10, 50, 200, 1000}) {
          const Played played = Play(
              tokens, cost, [rate](int64_t) { return rate; }, seed);
          EXPECT_LT(played.lost_steps, 0.03 * static_cast<double>(tokens) + cost(1) - 1.0)
              << "rate " << rate << ", " << tokens << " tokens, seed " << seed;
        }
      }
    }
  }
}

TEST(DraftLengthTest, TextThatChanges_IsFollowed) {
  const auto first_half = [](int64_t token) { return token < 500 ? 0.95 : 0.0; };
  const auto second_half = [](int64_t token) { return token < 500 ? 0.0 : 0.95; };
  for (unsigned seed = 0; seed < 5; ++seed) {
    EXPECT_GT(Play(1000, FromMemory, first_half, seed).tokens_per_plain_step, 1.4) << seed;
    EXPECT_GT(Play(1000, FromMemory, second_half, seed).tokens_per_plain_step, 1.4) << seed;
  }
}

TEST(DraftLengthTest, WorkThatGrowsWithEveryToken_IsNotDrafted) {
  const Played played = Play(
      1000, ByArithmetic, [](int64_t) { return 0.9; }, 1);
  EXPECT_LT(played.drafts_per_step, 0.1);
}

TEST(DraftLengthTest, NothingIsDraftedBeforeAPlainStepWasTimed) {
  DraftLength length(7);
  EXPECT_EQ(length.Best(), 0);
  for (int i = 0; i < 100; ++i) length.SawGuesses(5, false);
  EXPECT_EQ(length.Best(), 0);
  for (int i = 0; i < 50; ++i) length.SawStep(0, 0, 1000000);
  EXPECT_GT(length.Best(), 0);
}

}  // namespace
}  // namespace headway
