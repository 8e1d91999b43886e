#include "base/progress.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace headway {
namespace {

struct Heard {
  std::vector<std::pair<int64_t, int64_t>> calls;  // done, total
  ProgressListener Listener() {
    return [this](const char* work, int64_t done, int64_t total) {
      EXPECT_EQ(std::string(work), "packing");
      calls.emplace_back(done, total);
    };
  }
};

TEST(ProgressListenerTest, HearsOfEachHundredthOnce) {
  Heard heard;
  Progress progress("packing", 100000, false, false, heard.Listener());
  for (uint64_t done = 0; done <= 100000; ++done) progress.Update(done);
  ASSERT_EQ(heard.calls.size(), 101U);
  for (int64_t i = 0; i <= 100; ++i)
    EXPECT_EQ(heard.calls[static_cast<size_t>(i)], std::make_pair(1000 * i, int64_t{100000}));
}

TEST(ProgressListenerTest, NeverBackAndNeverBeyondTheEnd) {
  Heard heard;
  Progress progress("packing", 10, false, false, heard.Listener());
  for (const uint64_t done : {3U, 2U, 3U, 12U, 13U}) progress.Update(done);
  const std::vector<std::pair<int64_t, int64_t>> expected = {{3, 10}, {10, 10}};
  EXPECT_EQ(heard.calls, expected);
}

TEST(ProgressListenerTest, NothingToDoIsDone) {
  Heard heard;
  Progress progress("packing", 0, false, false, heard.Listener());
  progress.Update(0);
  progress.Update(0);
  const std::vector<std::pair<int64_t, int64_t>> expected = {{0, 0}};
  EXPECT_EQ(heard.calls, expected);
}

}  // namespace
}  // namespace headway
