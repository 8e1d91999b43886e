#include "engine/read_shares.h"

#include <gtest/gtest.h>

namespace headway {
namespace {

using Shares = std::vector<int64_t>;

TEST(ReadShares, AreEqualUnlessLessIsWanted) {
  EXPECT_EQ(ReadShares(Shares{100, 100}, 64), (Shares{32, 32}));
  EXPECT_EQ(ReadShares(Shares{10, 100}, 64), (Shares{10, 54}));
  EXPECT_EQ(ReadShares(Shares{5, 6}, 64), (Shares{5, 6}));
  EXPECT_EQ(ReadShares(Shares{100, 3, 100}, 64), (Shares{31, 3, 30}));
}

TEST(ReadShares, OfFewTokensTheFirstOnesGetOneEach) {
  EXPECT_EQ(ReadShares(Shares{9, 9, 9}, 2), (Shares{1, 1, 0}));
  EXPECT_EQ(ReadShares(Shares{0, 9, 9}, 2), (Shares{0, 1, 1}));
}

TEST(ReadShares, OfNothingAreNone) {
  EXPECT_EQ(ReadShares(Shares{}, 64), Shares{});
  EXPECT_EQ(ReadShares(Shares{4, 4}, 0), (Shares{0, 0}));
}

}  // namespace
}  // namespace headway
