#include "base/checked_size.h"

#include <gtest/gtest.h>

namespace headway {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

TEST(CheckedSizeTest, WhatFits_HasItsValue) {
  EXPECT_EQ((CheckedSize(int64_t{3}) * CheckedSize(int64_t{5}) + CheckedSize(int64_t{2})).Value(),
            17U);
  EXPECT_EQ(CheckedSize(int64_t{65}).AlignedTo(64).Value(), 128U);
  EXPECT_EQ(CheckedSize(int64_t{64}).AlignedTo(64).Value(), 64U);
  EXPECT_EQ(CheckedSize(kLargest).Value(), static_cast<uint64_t>(kLargest));
}

TEST(CheckedSizeTest, WhatDoesNot_HasNoneForGood) {
  const CheckedSize largest(kLargest);
  const CheckedSize one(int64_t{1});
  EXPECT_FALSE((largest + one).Value());
  EXPECT_FALSE(CheckedSize(int64_t{-1}).Value());
  EXPECT_FALSE(CheckedSize(~uint64_t{0}).Value());
  EXPECT_FALSE(largest.AlignedTo(64).Value());
  const CheckedSize half(int64_t{1} << 32);
  EXPECT_FALSE((half * half).Value());  // 2^64 would be 0
  EXPECT_FALSE((half * half * CheckedSize(int64_t{0})).Value());
  EXPECT_FALSE((half * half + one).Value());
}

}  // namespace
}  // namespace headway
