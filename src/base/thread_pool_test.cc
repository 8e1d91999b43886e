#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <numeric>
#include <vector>

namespace headway {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, Run_ManyGenerations_EveryMemberRunsOnce) {
  ThreadPool pool(GetParam());
  std::vector<int> counts(static_cast<size_t>(GetParam()), 0);
  for (int round = 0; round < 1000; ++round) {
    pool.Run([&](int i) { ++counts[static_cast<size_t>(i)]; });
  }
  for (const int count : counts) EXPECT_EQ(count, 1000);
}

TEST_P(ThreadPoolTest, Barrier_WritesBefore_AreSeenAfter) {
  const int n = GetParam();
  ThreadPool pool(n);
  std::vector<int> values(static_cast<size_t>(n), 0);
  std::vector<int> sums(static_cast<size_t>(n), 0);
  for (int round = 1; round <= 200; ++round) {
    pool.Run([&](int i) {
      values[static_cast<size_t>(i)] = round * (i + 1);
      pool.Barrier();
      sums[static_cast<size_t>(i)] = std::accumulate(values.begin(), values.end(), 0);
      pool.Barrier();
    });
    for (const int sum : sums) ASSERT_EQ(sum, round * n * (n + 1) / 2);
    ASSERT_EQ(pool.Meetings(), n == 1 ? 0U : static_cast<uint32_t>(3 * round));
  }
}

TEST_P(ThreadPoolTest, ChunkQueue_AllItems_AreTakenExactlyOnce) {
  ThreadPool pool(GetParam());
  ChunkQueue queue;
  std::vector<std::atomic<int>> taken(1003);
  pool.Run([&](int) {
    int64_t begin = 0;
    int64_t end = 0;
    while (queue.Take(1003, 16, &begin, &end)) {
      for (int64_t i = begin; i < end; ++i) taken[static_cast<size_t>(i)].fetch_add(1);
    }
  });
  for (const auto& count : taken) EXPECT_EQ(count.load(), 1);
}

TEST_P(ThreadPoolTest, WhatAMemberThrows_RunThrows_WhenAllHaveEnded) {
  const int n = GetParam();
  ThreadPool pool(n);
  for (int thrower = 0; thrower < n; ++thrower) {
    std::vector<int> counts(static_cast<size_t>(n), 0);
    const auto work = [&](int i) {
      if (i == thrower) throw std::bad_alloc();
      for (int k = 0; k < 1000; ++k) ++counts[static_cast<size_t>(i)];
    };
    EXPECT_THROW(pool.Run(work), std::bad_alloc);
    for (int i = 0; i < n; ++i) EXPECT_EQ(counts[static_cast<size_t>(i)], i == thrower ? 0 : 1000);
  }
  EXPECT_THROW(pool.Run([](int) { throw std::bad_alloc(); }), std::bad_alloc);
  std::atomic<int> calls{0};
  pool.Run([&](int) { ++calls; });  // and goes on
  EXPECT_EQ(calls.load(), n);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolTest, testing::Values(1, 2, 3, 5));

}  // namespace
}  // namespace headway
