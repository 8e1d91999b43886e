#include "server/answers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>

namespace headway::server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{60000};

AnswerEvent Text(int i) {
  return {.index = 0, .text = std::to_string(i), .tokens = {}, .end = std::nullopt};
}

AnswerEvent End() {
  return {.index = 0, .text = {}, .tokens = {}, .end = AnswerEnd{.request = {}}};
}

TEST(AnswerQueueTest, Pop_OfNothing_IsAbsent) {
  AnswerQueue queue;
  EXPECT_FALSE(queue.Pop(milliseconds(1)).has_value());
}

// Some before the reader waits, some while it waits for a burst, some after: all, in order.
TEST(AnswerQueueTest, Pop_OfBursts_GivesAllInOrder) {
  AnswerQueue queue;
  constexpr int kEvents = 2000;
  std::thread writer([&] {
    for (int i = 0; i < kEvents; ++i) {
      if (i % 100 == 0) std::this_thread::sleep_for(milliseconds(i % 300 / 20));
      queue.Push(Text(i));
    }
    queue.Push(End());
  });
  for (int i = 0; i < kEvents; ++i) {
    const auto event = queue.Pop(kLong);
    ASSERT_TRUE(event.has_value());
    ASSERT_EQ(event->text, std::to_string(i));
  }
  const auto last = queue.Pop(kLong);
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(last->end.has_value());
  writer.join();
  EXPECT_FALSE(queue.Pop(milliseconds(1)).has_value());
}

// Of several answers one may end before the others, which go on after it.
TEST(AnswerQueueTest, Pop_AfterAnEnd_GoesOn) {
  AnswerQueue queue;
  queue.Push(Text(1));
  queue.Push(End());
  queue.Push(Text(2));
  EXPECT_EQ(queue.Pop(kLong)->text, "1");
  EXPECT_TRUE(queue.Pop(kLong)->end.has_value());
  EXPECT_EQ(queue.Pop(kLong)->text, "2");
  queue.Push(Text(3));
  EXPECT_EQ(queue.Pop(kLong)->text, "3");
}

}  // namespace
}  // namespace headway::server
