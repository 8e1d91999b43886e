#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace headway {
namespace {

TEST(StopMatcher, CutsBeforeTheFirstStop) {
  StopMatcher matcher({"END", "\n\n"});
  EXPECT_EQ(matcher.Push("one two\n"), "one two");
  EXPECT_EQ(matcher.Push("three E"), "\nthree ");
  EXPECT_EQ(matcher.Push("N"), "");
  EXPECT_FALSE(matcher.Found());
  EXPECT_EQ(matcher.Push("D and more"), "");
  EXPECT_EQ(matcher.Found(), "END");
  EXPECT_EQ(matcher.Push("x"), "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcher, GivesBackWhatWasNoStop) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.Push("aa"), "");
  EXPECT_EQ(matcher.Push("a"), "a");
  EXPECT_EQ(matcher.Finish(), "aa");
  EXPECT_FALSE(matcher.Found());
}

TEST(StopMatcher, WithoutStopsHoldsNothing) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.Push("abc"), "abc");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcher, PiecesDoNotMatter) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) text += "ab"[random() % 2];
    std::vector<std::string> stops;
    for (int i = 0; i < 3; ++i) {
      std::string stop;
      for (size_t n = 2 + random() % 4; n > 0; --n) stop += "ab"[random() % 2];
      stops.push_back(stop);
    }
    std::pair<size_t, size_t> first = {std::string::npos, std::string::npos};  // end, beginning
    for (const std::string& stop : stops) {
      const size_t at = text.find(stop);
      if (at != std::string::npos) first = std::min(first, {at + stop.size(), at});
    }
    StopMatcher matcher(stops);
    std::string found;
    for (size_t at = 0; at < text.size();) {
      const size_t count = std::min<size_t>(1 + random() % 5, text.size() - at);
      found += matcher.Push(text.substr(at, count));
      at += count;
    }
    found += matcher.Finish();
    ASSERT_EQ(found, text.substr(0, first.second)) << text;
    ASSERT_EQ(matcher.Found().has_value(), first.second != std::string::npos);
  }
}

}  // namespace
}  // namespace headway
