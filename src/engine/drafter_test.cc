#include "engine/drafter.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace headway {
namespace {

std::vector<int32_t> Guess(LookupDrafter* drafter, const std::vector<int32_t>& tokens,
                           int64_t most) {
  const auto draft = drafter->Propose(tokens, most);
  EXPECT_TRUE(draft);
  return {draft->tokens.begin(), draft->tokens.end()};
}

TEST(LookupDrafterTest, RepeatedText_IsContinued) {
  LookupDrafter drafter(2, 3, 100);
  EXPECT_EQ(Guess(&drafter, {1, 2, 3, 4, 5, 1, 2}, 3), (std::vector<int32_t>{3, 4, 5}));
  EXPECT_EQ(drafter.Propose(std::vector<int32_t>{1, 2, 3, 4, 5, 1, 2}, 3)->ngram, 2);
}

TEST(LookupDrafterTest, LongestNgramThenLatestOccurrence_Wins) {
  LookupDrafter longest(1, 3, 100);
  // The last three tokens were followed by 7, the last two (more recently) by 8, the last one by 9.
  const std::vector<int32_t> tokens = {1, 2, 3, 7, 5, 2, 3, 8, 6, 3, 9, 1, 2, 3};
  EXPECT_EQ(Guess(&longest, tokens, 1), (std::vector<int32_t>{7}));
  EXPECT_EQ(longest.Propose(tokens, 1)->ngram, 3);
  LookupDrafter two(2, 2, 100);
  EXPECT_EQ(Guess(&two, {2, 3, 7, 2, 3, 8, 2, 3}, 2), (std::vector<int32_t>{8, 2}));
}

TEST(LookupDrafterTest, Loops_AreDraftedBeyondTheEnd) {
  LookupDrafter drafter(1, 4, 100);
  EXPECT_EQ(Guess(&drafter, {4, 5, 6, 4, 5, 6, 4}, 7), (std::vector<int32_t>{5, 6, 4, 5, 6, 4, 5}));
  EXPECT_EQ(Guess(&drafter, {9, 9}, 3), (std::vector<int32_t>{9, 9, 9}));
}

TEST(LookupDrafterTest, NothingToGoBy_GivesNothing) {
  LookupDrafter drafter(2, 4, 100);
  EXPECT_TRUE(Guess(&drafter, {}, 4).empty());
  EXPECT_TRUE(Guess(&drafter, {1}, 4).empty());
  EXPECT_TRUE(Guess(&drafter, {1, 1}, 4).empty());  // a pair, but nothing after it
  EXPECT_TRUE(Guess(&drafter, {1, 2, 3, 4}, 4).empty());
  EXPECT_TRUE(Guess(&drafter, {1, 2, 1, 2}, 0).empty());
}

// The table against a search through the whole sequence: equal but for n-grams that fall into the
// slot of another one, here a few among 8,000 in 131,072 slots.
TEST(LookupDrafterTest, Table_FindsWhatASearchFinds) {
  std::mt19937 random(7);
  std::vector<int32_t> tokens;
  LookupDrafter drafter(2, 5, 65536);
  int found = 0;
  int missed = 0;
  for (int step = 0; step < 2000; ++step) {
    tokens.push_back(static_cast<int32_t>(random() % 9));
    int64_t best_n = 0;
    size_t best_end = 0;
    for (int64_t n = 5; n >= 2 && best_n == 0; --n) {
      const auto length = static_cast<size_t>(n);
      for (size_t end = tokens.size() - 1; end >= length && best_n == 0 && end < tokens.size();
           --end) {
        if (std::equal(tokens.end() - n, tokens.end(),
                       tokens.begin() + static_cast<int64_t>(end) - n)) {
          best_n = n;
          best_end = end;
        }
      }
    }
    const auto draft = drafter.Propose(tokens, 1);
    ASSERT_LE(draft->ngram, best_n) << step;
    missed += draft->ngram < best_n ? 1 : 0;
    if (best_n == 0 || draft->ngram < best_n) continue;
    ++found;
    ASSERT_EQ(draft->tokens.front(), tokens[best_end]) << step;
  }
  EXPECT_GT(found, 1500);
  EXPECT_LT(missed, 100);
}

TEST(LookupDrafterTest, AnotherSequence_IsNoticed) {
  LookupDrafter drafter(2, 2, 100);
  EXPECT_EQ(Guess(&drafter, {1, 2, 3, 1, 2}, 1), (std::vector<int32_t>{3}));
  EXPECT_EQ(Guess(&drafter, {1, 2, 4, 1, 2}, 1), (std::vector<int32_t>{4}));  // same length
  EXPECT_TRUE(Guess(&drafter, {1, 2}, 1).empty());                            // shorter
  EXPECT_EQ(Guess(&drafter, {5, 6, 7, 5, 6}, 1), (std::vector<int32_t>{7}));
}

}  // namespace
}  // namespace headway
