// When a conversation stops searching.

#include "engine/choice_rules.h"

#include <gtest/gtest.h>

namespace headway {
namespace {

TEST(FallbackWindow, NeedsAWholeWindow) {
  FallbackWindow window;
  for (int i = 0; i + 1 < FallbackWindow::kChoices; ++i) {
    window.Add(true);
    EXPECT_FALSE(window.Exceeded()) << i;
  }
  window.Add(true);
  EXPECT_TRUE(window.Exceeded());
  for (int i = 0; i < 1000; ++i) window.Add(false);
  EXPECT_TRUE(window.Exceeded());
}

TEST(FallbackWindow, HalfIsNotTooMany) {
  FallbackWindow window;
  for (int i = 0; i < 1000; ++i) window.Add(i % 2 == 0);
  EXPECT_FALSE(window.Exceeded());
  window.Add(true);
  window.Add(true);
  EXPECT_TRUE(window.Exceeded());
}

TEST(FallbackWindow, ForgetsWhatIsLongAgo) {
  FallbackWindow window;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < FallbackWindow::kMostFallbacks; ++i) window.Add(true);
    for (int i = 0; i < FallbackWindow::kChoices; ++i) window.Add(false);
  }
  EXPECT_FALSE(window.Exceeded());
}

}  // namespace
}  // namespace headway
