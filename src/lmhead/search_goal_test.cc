// Searches that know some rows beforehand, and searches among the rows of a mask, against all
// logits.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>

#include "lmhead/head_fixture.h"
#include "lmhead/search.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kGoalRows = 3000;
constexpr int64_t kGoalChannels = 256;

class SearchGoalTest : public testing::Test {
 protected:
  SearchGoalTest() {
    std::vector<float> rows = Normals(kGoalRows * kGoalChannels, 1);
    // Rows 10 and 2010 are equal: a tie, whoever knows one of them.
    std::copy_n(rows.begin() + 10 * kGoalChannels, kGoalChannels,
                rows.begin() + 2010 * kGoalChannels);
    head_ = std::make_unique<TestHead>(DataType::kQ8_0, kGoalRows, kGoalChannels, rows);
    planes_ = std::make_unique<Planes>(head_->Build(RotationSeed::FromNumber(7), &pool_));
    search_ = std::make_unique<Search>(planes_.get(), head_.get(), TestKernels(), &pool_, 1,
                                       SearchOptions{.certificate = {}, .noise_key = 5});
    for (int32_t id = 0; id < 1000; id += 2) known_ids_.push_back(id);
  }

  // A state near row `winner` by `weight`; its logits.
  std::vector<float> Screen(int64_t winner, float weight, uint32_t seed) {
    state_ = Normals(kGoalChannels, seed);
    const std::vector<float> row = head_->Row(winner);
    for (size_t c = 0; c < state_.size(); ++c) state_[c] += weight * row[c];
    const std::vector<float> hidden = head_->SetStates(state_);
    search_->Screen(hidden.data(), 1, 1);
    return head_->FullLogits(0);
  }

  SearchGoal Known(const std::vector<float>& full) {
    known_logits_.clear();
    for (const int32_t id : known_ids_) known_logits_.push_back(full[static_cast<size_t>(id)]);
    SearchGoal goal;
    goal.known_ids = known_ids_;
    goal.known_logits = known_logits_;
    return goal;
  }

  // The first of the best rows found.
  Candidate Best() const {
    Candidate best{.id = -1};
    for (const Candidate& c : search_->Found()) {
      if (best.id < 0 || c.logit > best.logit) best = c;
    }
    return best;
  }

  ThreadPool pool_{2};
  std::unique_ptr<TestHead> head_;
  std::unique_ptr<Planes> planes_;
  std::unique_ptr<Search> search_;
  std::vector<float> state_;
  std::vector<int32_t> known_ids_;
  std::vector<float> known_logits_;
};

TEST_F(SearchGoalTest, RowsAtLeastAsLargeAsAValueAreAllFound) {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    const std::vector<float> full = Screen(2000 + seed, 0.5F, 40 + seed);
    std::vector<float> sorted = full;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (const size_t rank : {size_t{0}, size_t{1}, size_t{7}}) {
      SearchGoal goal;
      goal.keep = 0;
      goal.at_least = sorted[rank];
      const SearchEvidence evidence = search_->Decide(0, goal);
      if (!evidence.decided) continue;
      size_t found = 0;
      for (const Candidate& candidate : search_->Found()) {
        ASSERT_EQ(candidate.logit, full[static_cast<size_t>(candidate.id)]);
        if (candidate.logit >= sorted[rank]) ++found;
      }
      const auto expected =
          std::count_if(full.begin(), full.end(), [&](float v) { return v >= sorted[rank]; });
      EXPECT_EQ(found, static_cast<size_t>(expected)) << seed << " " << rank;
    }
    // The winner alone is always worth its search here.
    SearchGoal winner;
    winner.keep = 0;
    winner.at_least = sorted[0];
    const SearchEvidence evidence = search_->Decide(0, winner);
    EXPECT_TRUE(evidence.decided) << seed;
    EXPECT_LT(evidence.rows_exact, uint64_t{kGoalRows} / 2) << seed;
  }
}

TEST_F(SearchGoalTest, OfTheBestK_ThoseAtLeastAsLargeAsAValueAreFound) {
  int by_count = 0;
  int by_value = 0;
  for (uint32_t seed = 0; seed < 24; ++seed) {
    const std::vector<float> full = Screen(2000 + seed, 0.5F, 40 + seed);
    std::vector<float> sorted = full;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    SearchGoal goal;
    goal.keep = 5;
    goal.at_least = sorted[seed % 9];
    const SearchEvidence evidence = search_->Decide(0, goal);
    if (!evidence.decided) continue;
    EXPECT_GE(evidence.theta, *goal.at_least);
    EXPECT_LE(evidence.theta, std::max(*goal.at_least, sorted[4]));
    std::vector<float> found;
    for (const Candidate& candidate : search_->Found()) found.push_back(candidate.logit);
    std::sort(found.begin(), found.end(), std::greater<>());
    const size_t wanted = std::min<size_t>(seed % 9, 4) + 1;
    ASSERT_GE(found.size(), wanted);
    EXPECT_TRUE(std::equal(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(wanted),
                           found.begin()))
        << seed;
    ++(seed % 9 > 4 ? by_count : by_value);
  }
  EXPECT_GT(by_count, 0);
  EXPECT_GT(by_value, 0);
}

TEST_F(SearchGoalTest, Counting_SaysFewOnlyWhereFewRowsReachTheValue) {
  int few = 0;
  int many = 0;
  uint64_t computed = 0;
  uint64_t counted = 0;
  for (uint32_t seed = 0; seed < 120; ++seed) {
    const std::vector<float> full = Screen(2000 + seed, 0.9F, 40 + seed);
    std::vector<float> sorted = full;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    SearchGoal goal;
    goal.keep = 4;
    goal.at_least = sorted[seed % 7];
    const SearchEvidence all = search_->Decide(0, goal);
    search_->Screen(head_->SetStates(state_).data(), 1, 1);  // no bounds of the search before
    goal.counting = true;
    const SearchEvidence evidence = search_->Decide(0, goal);
    if (!evidence.decided) continue;
    if (evidence.few) {
      EXPECT_LE(seed % 7 + 1, 4U);
      ++few;
      computed += all.rows_exact;
      counted += evidence.rows_exact;
      continue;
    }
    ++many;
    std::vector<float> found;
    for (const Candidate& candidate : search_->Found()) found.push_back(candidate.logit);
    std::sort(found.begin(), found.end(), std::greater<>());
    const size_t wanted = std::min<size_t>(seed % 7, 3) + 1;
    ASSERT_GE(found.size(), wanted);
    EXPECT_TRUE(std::equal(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(wanted),
                           found.begin()))
        << seed;
  }
  EXPECT_GT(few, 10);
  EXPECT_GT(many, 10);
  EXPECT_LT(counted, computed);
}

TEST_F(SearchGoalTest, TheMassOfTheRest_IsBounded_TighterTheDeeperASearchGoes) {
  const sampling::SoftmaxMass mass;
  std::vector<uint64_t> mask((kGoalRows + 63) / 64, 0x7fffffffffffffff);
  int decided = 0;
  int tighter = 0;
  for (uint32_t seed = 0; seed < 24; ++seed) {
    std::vector<float> full = Screen(2000 + seed, 0.9F, 40 + seed);
    const float best = *std::max_element(full.begin(), full.end());
    double last = std::numeric_limits<double>::infinity();
    for (const float depth : {1.0F, 6.0F, 12.0F}) {
      SearchGoal goal;
      goal.keep = 0;
      goal.at_least = best - depth;
      if (seed % 2 == 1) goal.mask = mask;
      if (!search_->Decide(0, goal).decided) continue;
      ++decided;
      std::vector<bool> found(full.size());
      for (const Candidate& c : search_->Found()) found[static_cast<size_t>(c.id)] = true;
      double rest = 0.0;
      for (size_t i = 0; i < full.size(); ++i) {
        if (found[i] || !goal.Allows(static_cast<int32_t>(i))) continue;
        rest += static_cast<double>(mass.Mass(best - full[i]));
      }
      const double bound = search_->MassOfRest(best);
      EXPECT_GE(bound * (1.0 + 1e-6) + kGoalRows, rest) << seed << " " << depth;
      tighter += bound < last && last < 1e30 ? 1 : 0;
      last = bound;
    }
  }
  EXPECT_GE(decided, 20);
  EXPECT_GE(tighter, 5);
}

TEST_F(SearchGoalTest, KnownRows_ChangeNoAnswer) {
  int decided = 0;
  int alone = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    // Winners that are known, that are not, and states without a winner.
    const int64_t winner = seed % 3 == 0 ? 10 : seed % 3 == 1 ? 4 * seed : 1001 + seed;
    const auto full = Screen(winner, seed % 5 == 0 ? 0.0F : 0.7F, seed);
    const SearchEvidence evidence = search_->Decide(0, Known(full));
    if (!evidence.decided) continue;
    ++decided;
    alone += evidence.rows_exact == 0 ? 1 : 0;
    const auto best = std::max_element(full.begin(), full.end());
    EXPECT_EQ(Best().id, best - full.begin());
    EXPECT_EQ(Best().logit, *best);
    // What was known in this search is forgotten in the next.
    ASSERT_TRUE(search_->Decide(0, {}).decided);
    EXPECT_EQ(Best().id, best - full.begin());
    EXPECT_GT(search_->Decide(0, {}).rows_exact, 0U);
  }
  EXPECT_GE(decided, 40);
  EXPECT_GE(alone, 5);  // no row beyond the known ones was computed
}

TEST_F(SearchGoalTest, KnownRows_StayWhenTheyAreAmongTheBestKOrChanged) {
  const auto full = Screen(10, 0.7F, 3);
  SearchGoal goal = Known(full);
  goal.keep = 5;
  const std::vector<int32_t> changed = {4, 7};
  goal.changed = changed;
  goal.change = [](int32_t, float logit) { return logit - 1000.0F; };
  ASSERT_TRUE(search_->Decide(0, goal).decided);
  std::vector<int32_t> found;
  for (const Candidate& c : search_->Found()) {
    found.push_back(c.id);
    EXPECT_EQ(c.logit, full[static_cast<size_t>(c.id)]);
  }
  const auto is_found = [&](int64_t id) {
    return std::binary_search(found.begin(), found.end(), static_cast<int32_t>(id));
  };
  EXPECT_TRUE(is_found(4) && is_found(7));
  std::vector<float> sorted;
  for (size_t i = 0; i < full.size(); ++i) sorted.push_back(i == 4 || i == 7 ? -1e6F : full[i]);
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  for (size_t i = 0; i < full.size(); ++i) {
    if (i != 4 && i != 7 && full[i] >= sorted[4]) {
      EXPECT_TRUE(is_found(static_cast<int64_t>(i))) << i;
    }
  }
}

TEST_F(SearchGoalTest, Masks_LeaveTheBestOfWhatTheyAllow) {
  std::mt19937_64 random(3);
  int decided = 0;
  for (uint32_t seed = 0; seed < 40; ++seed) {
    std::vector<uint64_t> mask((kGoalRows + 63) / 64);
    for (uint64_t& word : mask) word = random() | random();
    mask[5] = 0;
    const auto full = Screen(seed % 2 == 0 ? 5 * 64 + 3 : 70 * seed, 0.7F, seed);  // banned, maybe
    const auto allowed = [&](size_t id) { return (mask[id / 64] >> (id % 64) & 1) != 0; };
    SearchGoal goal = seed % 4 < 2 ? SearchGoal{} : Known(full);
    goal.mask = mask;
    if (!search_->Decide(0, goal).decided) continue;
    ++decided;
    size_t best = full.size();
    for (size_t i = 0; i < full.size(); ++i) {
      if (allowed(i) && (best == full.size() || full[i] > full[best])) best = i;
    }
    Candidate found{.id = -1};
    for (const Candidate& c : search_->Found()) {
      if (!allowed(static_cast<size_t>(c.id))) continue;
      if (found.id < 0 || c.logit > found.logit) found = c;
    }
    EXPECT_EQ(found.id, static_cast<int32_t>(best));
  }
  EXPECT_GE(decided, 10);
}

}  // namespace
}  // namespace headway::lmhead
