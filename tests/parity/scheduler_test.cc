// What a request to the scheduler gets is what it gets alone: whatever runs beside it, ran before it
// and is shared with it, however little room there is, and in what pieces its prompt is read.

#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "headway/engine.h"
#include "scheduler_fixture.h"

namespace headway::parity {
namespace {

TEST_P(SchedulerTest, EveryMixGivesEachRequestWhatItGetsAlone) {
  Open(GetParam(), 1);
  std::vector<ScheduledRequest> requests;
  std::vector<Answer> expected;
  for (int i = 0; i < 60; ++i) {
    requests.push_back(Draw());
    expected.push_back(Alone(requests.back()));
  }
  uint64_t cached = 0;
  uint64_t preempted = 0;
  uint64_t accepted = 0;
  const auto add_counts = [&] {
    if (scheduler_ == nullptr) return;
    cached += scheduler_->Counts().cached_tokens;
    preempted += scheduler_->Counts().preempted;
    accepted += scheduler_->Counts().accepted;
  };
  for (int mix = 0; mix < 200; ++mix) {
    if (mix % 10 == 0) {  // a new scheduler; the others find what those before them left
      add_counts();
      Start({.most_rows = 1 + static_cast<int64_t>(random_() % 16),
             .prompt_tokens_a_step = 1 + static_cast<int64_t>(random_() % 64),
             .kv_tokens = random_() % 2 == 0 ? 0 : 200 + static_cast<int64_t>(random_() % 400)});
    }
    std::vector<size_t> who(1 + random_() % 16);
    std::vector<std::shared_ptr<Listener>> listeners;
    for (size_t& i : who) {
      i = random_() % requests.size();
      listeners.push_back(Submit(requests[i]));
      if (random_() % 4 == 0) listeners[random_() % listeners.size()]->WaitForTokens(1);
    }
    for (size_t i = 0; i < who.size(); ++i) {
      const Answer& found = listeners[i]->Wait();
      const Answer& alone = expected[who[i]];
      ASSERT_EQ(found.tokens, alone.tokens) << "mix " << mix << ", request " << who[i];
      ASSERT_EQ(found.reason, alone.reason) << "mix " << mix << ", request " << who[i];
      ASSERT_TRUE(SameBits(found.logprobs, alone.logprobs)) << mix << ", " << who[i];
    }
  }
  add_counts();
  // All of it happened.
  EXPECT_GT(cached, 0U);
  EXPECT_GT(preempted, 0U);
  EXPECT_GT(accepted, 0U);
}

TEST_P(SchedulerTest, WhatOneReadTheNextOneSharesEvenWhileItIsBeingRead) {
  Open(GetParam(), 1);
  Start({.most_rows = 4, .prompt_tokens_a_step = 16});
  ScheduledRequest request;
  request.prompt = TestIds(100, kVocab);
  request.max_new_tokens = 5;
  const Answer expected = Alone(request);
  std::vector<std::shared_ptr<Listener>> listeners;
  for (int i = 0; i < 4; ++i) listeners.push_back(Submit(request));
  for (const auto& listener : listeners) EXPECT_EQ(listener->Wait().tokens, expected.tokens);
  EXPECT_EQ(listeners[0]->End().cached_tokens, 0);
  for (size_t i = 1; i < 4; ++i) EXPECT_GE(listeners[i]->End().cached_tokens, 80) << i;
  const auto later = Submit(request);
  EXPECT_EQ(later->Wait().tokens, expected.tokens);
  EXPECT_EQ(later->End().cached_tokens, 99);  // the last one runs again, for its state
}

TEST_P(SchedulerTest, CancelledStoppedAndLateRequestsEndAndTheOthersDoNotNotice) {
  Open(GetParam(), 1);
  Start({.most_rows = 4});
  ScheduledRequest request;
  request.prompt = TestIds(20, kVocab);
  request.max_new_tokens = 150;
  request.stop_at_end = false;
  request.options.sampling.temperature = 1.0F;
  ScheduledRequest late = request;
  late.deadline_ns = 1;  // long ago
  RequestHandle handle;
  const auto cancelled = SubmitHeld(request, &handle);
  const auto stopped = Submit(request, nullptr, 3);
  const auto too_late = Submit(late);
  const auto whole = Submit(request);
  cancelled->WaitForTokens(1);
  handle.Cancel();
  cancelled->Release();
  EXPECT_EQ(cancelled->Wait().reason, EndReason::kCancelled);
  EXPECT_EQ(stopped->Wait().reason, EndReason::kStopped);
  EXPECT_EQ(stopped->Wait().tokens.size(), 3U);
  EXPECT_EQ(too_late->Wait().reason, EndReason::kDeadline);
  EXPECT_TRUE(too_late->Wait().tokens.empty());
  EXPECT_EQ(whole->Wait().tokens.size(), 150U);
  const auto& tokens = cancelled->Wait().tokens;
  EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), whole->Wait().tokens.begin()));
}

TEST_P(SchedulerTest, RefusesBeyondItsBoundAndAfterClosing) {
  Open(GetParam(), 1);
  Start({.most_rows = 1, .most_waiting = 2});
  ScheduledRequest request;
  request.prompt = TestIds(20, kVocab);
  request.max_new_tokens = 150;
  request.stop_at_end = false;
  std::vector<std::shared_ptr<Listener>> accepted;
  bool refused = false;
  for (int i = 0; i < 20 && !refused; ++i) {
    auto listener = std::make_shared<Listener>();
    const auto outcome = scheduler_->Submit(request, listener, nullptr);
    refused = outcome == SubmitOutcome::kQueueFull;
    if (outcome == SubmitOutcome::kAccepted) accepted.push_back(std::move(listener));
  }
  EXPECT_TRUE(refused);
  scheduler_->Close();
  EXPECT_EQ(scheduler_->Submit(request, std::make_shared<Listener>(), nullptr),
            SubmitOutcome::kClosed);
  for (const auto& listener : accepted) EXPECT_EQ(listener->Wait().tokens.size(), 150U);
}

TEST_P(SchedulerTest, ABadRequestFailsAlone) {
  Open(GetParam(), 1);
  Start({.most_rows = 4});
  ScheduledRequest good;
  good.prompt = TestIds(20, kVocab);
  good.max_new_tokens = 10;
  ScheduledRequest bad_id = good;
  bad_id.prompt[3] = 5000;
  ScheduledRequest bad_sampling = good;
  bad_sampling.options.sampling.top_p = 7.0F;
  ScheduledRequest too_long = good;
  too_long.prompt = TestIds(kContext + 1, kVocab);
  std::vector<std::shared_ptr<Listener>> bad;
  for (const auto& request : {bad_id, bad_sampling, too_long}) bad.push_back(Submit(request));
  const auto fine = Submit(good);
  for (const auto& listener : bad) {
    EXPECT_EQ(listener->Wait().reason, EndReason::kFailed);
    EXPECT_EQ(listener->End().error.code, ErrorCode::kInvalidInput);
  }
  EXPECT_EQ(fine->Wait().tokens, Alone(good).tokens);
}

TEST_P(SchedulerTest, ALongConversationStopsAtTheContext) {
  Open(GetParam(), 1);
  Start({.most_rows = 2});
  ScheduledRequest request;
  request.prompt = TestIds(170, kVocab);
  request.max_new_tokens = 1000;
  request.stop_at_end = false;
  const auto listener = Submit(request);
  EXPECT_EQ(listener->Wait().reason, EndReason::kContextFull);
  EXPECT_EQ(listener->Wait().tokens.size(), 10U);
}

// 150 tokens, one a step: 50 tokens are written meanwhile (beyond 64 the rotary factors change, and
// the writer would read, too).
TEST_P(SchedulerTest, ALongPromptStopsNobody) {
  Open(GetParam(), 1);
  Start({.most_rows = 2, .prompt_tokens_a_step = 1});
  ScheduledRequest writing;
  writing.prompt = TestIds(10, kVocab);
  writing.max_new_tokens = 50;
  writing.stop_at_end = false;
  ScheduledRequest reading = writing;
  reading.prompt = TestIds(150, kVocab);
  reading.share_prefix = false;
  reading.max_new_tokens = 3;
  const auto writer = SubmitHeld(writing);
  writer->WaitForTokens(1);
  const auto reader = Submit(reading);
  writer->Release();
  EXPECT_EQ(writer->Wait().tokens.size(), 50U);
  EXPECT_EQ(reader->Wait().tokens.size(), 3U);
  EXPECT_GT(reader->FirstNs(), writer->EndNs());
}

TEST_P(SchedulerTest, AClientWithFewerRunningRequestsGoesFirst) {
  Open(GetParam(), 1);
  Start({.most_rows = 2});
  ScheduledRequest request;
  request.prompt = TestIds(10, kVocab);
  request.max_new_tokens = 100;
  request.stop_at_end = false;
  request.client.assign(1, 'a');
  std::vector<std::shared_ptr<Listener>> many;
  many.push_back(SubmitHeld(request));
  for (int i = 0; i < 7; ++i) many.push_back(Submit(request));
  many[0]->WaitForTokens(1);
  request.client.assign(1, 'b');
  const auto other = Submit(request);
  many[0]->Release();
  for (const auto& listener : many) listener->Wait();
  other->Wait();
  EXPECT_LT(other->EndNs(), many[4]->FirstNs());  // after at most two of those before it
}

TEST_P(SchedulerTest, EndsWithWorkToDo) {
  Open(GetParam(), 2);
  Start({.most_rows = 3});
  ScheduledRequest request;
  request.prompt = TestIds(100, kVocab);
  request.max_new_tokens = 70;
  std::vector<std::shared_ptr<Listener>> listeners;
  for (int i = 0; i < 8; ++i) listeners.push_back(Submit(request));
  scheduler_.reset();
  for (const auto& listener : listeners) EXPECT_NE(listener->Wait().reason, EndReason::kGoesOn);
}

// Without a scheduler: calls of several threads wait for each other.
TEST(EngineOfManyThreads, GivesEachCallWhatItGivesOne) {
  const TestModel model("tiny-phi", "q8_0");
  const auto engine = Engine::Open(model.Pack("2", {"full:3"}), {.threads = 1});
  ASSERT_TRUE(engine) << engine.error().message;
  const auto generate = [&](uint64_t seed) {
    GenerateOptions options;
    options.max_new_tokens = 20;
    options.sampling.temperature = 1.0F;
    options.sampling.seed = seed;
    const auto generation = engine->Generate(TestIds(10, kVocab), options, nullptr);
    return generation ? generation->ids : std::vector<int32_t>();
  };
  std::vector<std::vector<int32_t>> expected;
  for (uint64_t seed = 0; seed < 4; ++seed) expected.push_back(generate(seed));
  std::vector<std::vector<int32_t>> found(4);
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed)
    threads.emplace_back([&, seed] { found[seed] = generate(seed); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, expected);
  EXPECT_FALSE(expected[0].empty());
}

INSTANTIATE_TEST_SUITE_P(Heads, SchedulerTest, testing::Values("full:3", "certified"),
                         [](const testing::TestParamInfo<const char*>& head) {
                           return std::string(head.param).substr(0, 4);
                         });

}  // namespace
}  // namespace headway::parity
