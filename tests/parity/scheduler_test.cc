// What a request to the scheduler gets is what it gets alone: whatever runs beside it, ran before it
// and is shared with it, however little room there is, and in what pieces its prompt is read.

#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "base/clock.h"
#include "engine/session.h"
#include "grammar/compile.h"
#include "headway/engine.h"
#include "model_fixture.h"

namespace headway::parity {
namespace {

constexpr int64_t kVocab = 320;
constexpr int64_t kContext = 180;
constexpr int32_t kEndToken = 319;

bool IsEnd(int32_t id) { return id == kEndToken; }

// Token 1 + b is the byte b.
std::shared_ptr<const grammar::TokenTrie> ByteTokens() {
  std::vector<std::string> tokens(kVocab);
  for (size_t byte = 0; byte < 256; ++byte)
    tokens[1 + byte] = std::string(1, static_cast<char>(byte));
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const grammar::TokenTrie>(views, std::vector<int32_t>{kEndToken});
}

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  EndReason reason = EndReason::kGoesOn;
};

class Listener : public RequestSink {
 public:
  // Stops after so many tokens; 0: never.
  explicit Listener(size_t enough = 0) : enough_(enough) {}

  // With the first token the scheduler stands still until Release().
  void Hold() { is_held_ = true; }
  void Release() {
    const std::lock_guard lock(mutex_);
    is_held_ = false;
    changed_.notify_all();
  }

  void OnReading(const RequestProgress& progress) override {
    const std::lock_guard lock(mutex_);
    reading_.push_back(progress);
  }
  bool OnTokens(const NewTokens& tokens) override {
    std::unique_lock lock(mutex_);
    if (answer_.tokens.empty()) first_ns_ = NowNs();
    for (const auto& choice : tokens.choices) {
      answer_.tokens.push_back(choice.token);
      answer_.logprobs.push_back(choice.logprob);
    }
    if (tokens.progress != nullptr) written_.push_back(tokens.progress->new_tokens);
    alternatives_.emplace_back(tokens.alternatives.begin(), tokens.alternatives.end());
    if (tokens.drawn_logprob) drawn_logprobs_.push_back(*tokens.drawn_logprob);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !is_held_; });
    return enough_ == 0 || answer_.tokens.size() < enough_;
  }
  void OnEnd(const RequestEnd& end) override {
    const std::lock_guard lock(mutex_);
    end_ns_ = NowNs();
    end_ = end;
    answer_.reason = end.reason;
    changed_.notify_all();
  }

  const Answer& Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answer_.reason != EndReason::kGoesOn; });
    return answer_;
  }
  void WaitForTokens(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return answer_.reason != EndReason::kGoesOn || answer_.tokens.size() >= count;
    });
  }
  const RequestEnd& End() const { return end_; }
  // When the first token and the end came; after Wait().
  uint64_t FirstNs() const { return first_ns_; }
  uint64_t EndNs() const { return end_ns_; }
  // What it was told; after Wait().
  const std::vector<RequestProgress>& Reading() const { return reading_; }
  const std::vector<int64_t>& Written() const { return written_; }
  const std::vector<std::vector<TokenLogprob>>& Alternatives() const { return alternatives_; }
  const std::vector<float>& DrawnLogprobs() const { return drawn_logprobs_; }

 private:
  const size_t enough_;
  bool is_held_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  Answer answer_;
  RequestEnd end_;
  uint64_t first_ns_ = 0;
  uint64_t end_ns_ = 0;
  std::vector<std::vector<TokenLogprob>> alternatives_;
  std::vector<float> drawn_logprobs_;
  std::vector<RequestProgress> reading_;
  std::vector<int64_t> written_;
};

class SchedulerTest : public testing::TestWithParam<const char*> {
 protected:
  void Open(const char* head, int threads) {
    model_ = std::make_unique<TestModel>("tiny-phi", "q8_0");
    package_ = model_->Pack("2", {"full:3", "certified"});
    opened_ = OpenPackage(package_, {.threads = threads, .head = head});
    alone_ = OpenPackage(package_, {.threads = 1, .head = head});
    ASSERT_NE(opened_, nullptr);
    ASSERT_NE(alone_, nullptr);
  }

  void Start(SchedulerOptions options) {
    scheduler_.reset();
    if (options.context_tokens == 0) options.context_tokens = kContext;
    options.is_end = IsEnd;
    auto started = Scheduler::Start(opened_->executor, *opened_->pipeline, std::move(options));
    ASSERT_TRUE(started) << started.error().message;
    scheduler_ = *std::move(started);
  }

  // Prompts have beginnings in common; some cross the border at 64 at which the rotary factors
  // change, while reading or writing.
  ScheduledRequest Draw() {
    ScheduledRequest drawn;
    const auto shared = static_cast<int64_t>(random_() % 100);
    const auto own = 1 + static_cast<int64_t>(random_() % 30);
    drawn.prompt = TestIds(shared, kVocab);
    for (int64_t i = 0; i < own; ++i)
      drawn.prompt.push_back(static_cast<int32_t>(random_() % 3) + static_cast<int32_t>(i % 5));
    drawn.max_new_tokens = 1 + static_cast<int64_t>(random_() % 24);
    SessionOptions& options = drawn.options;
    options.sampling.seed = random_() % 4;
    const auto kind = random_() % 7;
    if (kind >= 1) options.sampling.temperature = 1.3F;
    if (kind == 2) options.sampling.top_k = 5;
    if (kind == 3) options.sampling.repeat_penalty = 1.3F;
    if (kind == 4) options.want_logprobs = true;
    if (kind == 6) options.sampling.allow_ids = {7};  // repeats itself: drafts come true
    if (kind == 5) {
      const char* const texts[] = {"root ::= \"abcabc\" [x-z]{40,60}", "root ::= [^a]{3,9}"};
      options.grammar = *grammar::CompileGbnf(texts[random_() % 2]);
      options.trie = trie_;
    }
    if (random_() % 5 == 0) options.kv = KvType::kQ8_0;
    if (random_() % 2 == 0) drawn.most_drafts = 7;
    if (options.want_logprobs && random_() % 2 == 0) drawn.num_alternatives = 3;
    drawn.client.assign(1, random_() % 2 == 0 ? 'a' : 'b');
    return drawn;
  }

  Answer Alone(const ScheduledRequest& request) {
    SessionOptions options = request.options;
    const auto length = static_cast<int64_t>(request.prompt.size());
    options.capacity_tokens = length + std::min(request.max_new_tokens, kContext - length);
    const auto session = Session::Create(alone_->executor, options);
    EXPECT_TRUE(session && (*session)->Append(request.prompt));
    Answer answer;
    answer.reason = EndReason::kMaxTokens;
    for (int64_t i = 0; i < request.max_new_tokens; ++i) {
      const auto choice = (*session)->Decode();
      EXPECT_TRUE(choice) << choice.error().message;
      if (!choice) break;
      answer.tokens.push_back(choice->token);
      answer.logprobs.push_back(choice->logprob);
      if (IsEnd(choice->token) || (*session)->GrammarIsOver()) {
        answer.reason = EndReason::kEndToken;
        break;
      }
    }
    return answer;
  }

  std::shared_ptr<Listener> SubmitHeld(const ScheduledRequest& request,
                                       RequestHandle* handle = nullptr) {
    auto listener = std::make_shared<Listener>();
    listener->Hold();
    EXPECT_EQ(scheduler_->Submit(request, listener, handle), SubmitOutcome::kAccepted);
    return listener;
  }
  std::shared_ptr<Listener> Submit(const ScheduledRequest& request, RequestHandle* handle = nullptr,
                                   size_t enough = 0) {
    auto listener = std::make_shared<Listener>(enough);
    EXPECT_EQ(scheduler_->Submit(request, listener, handle), SubmitOutcome::kAccepted);
    return listener;
  }

  std::unique_ptr<TestModel> model_;
  std::string package_;
  std::unique_ptr<OpenedModel> opened_;
  std::unique_ptr<OpenedModel> alone_;
  std::unique_ptr<Scheduler> scheduler_;
  const std::shared_ptr<const grammar::TokenTrie> trie_ = ByteTokens();
  std::mt19937_64 random_{7};
};

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

// Even one that gives its memory to others half-way is told of what is new, and has each state once.
TEST_P(SchedulerTest, TellsHowFarReadingIsAndHasEveryState) {
  Open(GetParam(), 1);
  Start({.most_rows = 4, .prompt_tokens_a_step = 16, .kv_tokens = 260});
  ScheduledRequest request;
  request.prompt = TestIds(100, kVocab);
  request.max_new_tokens = 3;
  request.stop_at_end = false;
  request.want_progress = true;
  const auto told = Submit(request);
  ScheduledRequest states;
  states.prompt = TestIds(90, kVocab);
  states.share_prefix = false;
  states.want_all_states = true;
  ScheduledRequest mean = states;
  mean.want_all_states = false;
  mean.want_mean_state = true;
  ScheduledRequest last = states;
  last.want_all_states = false;
  std::vector<std::shared_ptr<Listener>> listeners;
  for (const auto& one : {states, mean, last}) listeners.push_back(Submit(one));
  for (const auto& listener : listeners) EXPECT_EQ(listener->Wait().reason, EndReason::kMaxTokens);
  EXPECT_EQ(told->Wait().tokens.size(), 3U);
  const std::vector<RequestProgress>& reading = told->Reading();
  ASSERT_GE(reading.size(), 2U);
  EXPECT_EQ(reading.front().read_tokens, reading.front().cached_tokens);
  for (size_t i = 1; i < reading.size(); ++i)
    EXPECT_GT(reading[i].read_tokens, reading[i - 1].read_tokens);
  EXPECT_EQ(reading.back().read_tokens, 100);
  EXPECT_EQ(told->Written(), (std::vector<int64_t>{1, 2, 3}));
  const std::vector<float>& all = listeners[0]->End().state;
  const size_t D = listeners[2]->End().state.size();
  ASSERT_EQ(all.size(), 90 * D);
  EXPECT_TRUE(std::equal(all.end() - static_cast<int64_t>(D), all.end(),
                         listeners[2]->End().state.begin()));
  for (size_t c = 0; c < D; ++c) {
    double sum = 0.0;
    for (size_t t = 0; t < 90; ++t) sum += static_cast<double>(all[t * D + c]);
    ASSERT_EQ(static_cast<float>(sum / 90.0), listeners[1]->End().state[c]) << c;
  }
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

TEST_P(SchedulerTest, AlternativesAreTheBestOfTheLogits) {
  Open(GetParam(), 1);
  Start({.most_rows = 2});
  ScheduledRequest request;
  request.prompt = TestIds(30, kVocab);
  request.max_new_tokens = 4;
  request.options.want_logprobs = true;
  request.num_alternatives = 3;
  const auto listener = Submit(request);
  const Answer& answer = listener->Wait();
  ASSERT_EQ(listener->Alternatives().size(), answer.tokens.size());
  for (size_t i = 0; i < answer.tokens.size(); ++i) {
    const auto& best = listener->Alternatives()[i];
    ASSERT_EQ(best.size(), 3U);
    EXPECT_EQ(best[0].id, answer.tokens[i]);  // greedy
    EXPECT_NEAR(best[0].logprob, answer.logprobs[i], 1e-4);
    EXPECT_GE(best[0].logprob, best[1].logprob);
    EXPECT_GE(best[1].logprob, best[2].logprob);
  }
}

// A cut that leaves two tokens, one of which was drawn.
TEST_P(SchedulerTest, AlternativesAfterSamplingAreWhatWasDrawnFrom) {
  Open(GetParam(), 1);
  Start({.most_rows = 2});
  ScheduledRequest request;
  request.prompt = TestIds(30, kVocab);
  request.max_new_tokens = 6;
  request.options.want_logprobs = true;
  request.options.sampling = {.temperature = 3.0F, .top_k = 2, .seed = 5};
  request.num_alternatives = 3;
  request.after_sampling = true;
  const auto listener = Submit(request);
  const Answer& answer = listener->Wait();
  ASSERT_EQ(listener->Alternatives().size(), answer.tokens.size());
  for (size_t i = 0; i < answer.tokens.size(); ++i) {
    const auto& best = listener->Alternatives()[i];
    ASSERT_EQ(best.size(), 2U);
    EXPECT_NEAR(std::exp(best[0].logprob) + std::exp(best[1].logprob), 1.0, 1e-6);
    const auto& drawn = best[0].id == answer.tokens[i] ? best[0] : best[1];
    EXPECT_EQ(drawn.id, answer.tokens[i]);
    EXPECT_EQ(listener->DrawnLogprobs()[i], drawn.logprob);
  }
}

// Nothing chosen, the hidden state told: the last one, or the mean over the prompt's.
TEST_P(SchedulerTest, StatesAreThoseOfASession) {
  Open(GetParam(), 1);
  Start({.most_rows = 2, .prompt_tokens_a_step = 7});
  ScheduledRequest request;
  request.prompt = TestIds(40, kVocab);
  request.share_prefix = false;
  const auto session = NewSession(*alone_, kContext);
  std::vector<double> sum;
  std::vector<float> last;
  for (const int32_t id : request.prompt) {
    ASSERT_TRUE(session->Append({&id, 1}));
    const auto hidden = session->HiddenState();
    last.assign(hidden.begin(), hidden.end());
    sum.resize(last.size());
    for (size_t c = 0; c < last.size(); ++c) sum[c] += static_cast<double>(last[c]);
  }
  const auto of_last = Submit(request);
  request.want_mean_state = true;
  const auto of_mean = Submit(request);
  EXPECT_EQ(of_last->Wait().reason, EndReason::kMaxTokens);
  EXPECT_EQ(of_mean->Wait().reason, EndReason::kMaxTokens);
  EXPECT_TRUE(SameBits(of_last->End().state, last));
  ASSERT_EQ(of_mean->End().state.size(), sum.size());
  for (size_t c = 0; c < sum.size(); ++c)
    EXPECT_FLOAT_EQ(of_mean->End().state[c], static_cast<float>(sum[c] / 40.0));
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
