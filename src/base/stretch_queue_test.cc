#include "base/stretch_queue.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "base/thread_pool.h"

namespace headway {
namespace {

TEST(StretchQueueTest, Take_MembersThatComeLate_AllItemsAreTakenOnce) {
  for (const int n : {1, 2, 3, 5}) {
    ThreadPool pool(n);
    StretchQueue queue(n);
    for (const int64_t total : {0, 1, 2, 7, 1003}) {
      queue.Reset();
      std::vector<std::atomic<int>> taken(static_cast<size_t>(total));
      pool.Run([&](int member) {
        if (member == 1) return;  // its stretch is left to the others
        int64_t begin = 0;
        int64_t end = 0;
        while (queue.Take(member, total, &begin, &end)) {
          for (int64_t i = begin; i < end; ++i) taken[static_cast<size_t>(i)].fetch_add(1);
        }
      });
      for (const auto& count : taken) EXPECT_EQ(count.load(), 1);
    }
  }
}

TEST(StretchQueueTest, Take_OwnStretch_ComesFirstAndInOrder) {
  StretchQueue queue(2);
  EXPECT_EQ(queue.First(1, 10), 5);
  std::vector<std::pair<int64_t, int64_t>> chunks;
  int64_t begin = 0;
  int64_t end = 0;
  while (queue.Take(1, 10, &begin, &end)) chunks.emplace_back(begin, end);
  EXPECT_EQ(chunks, (std::vector<std::pair<int64_t, int64_t>>{
                        {5, 7}, {7, 8}, {8, 9}, {9, 10}, {0, 2}, {2, 3}, {3, 4}, {4, 5}}));
}

}  // namespace
}  // namespace headway
