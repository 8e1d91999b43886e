// What a request hears besides its tokens: how far reading is, states, likely tokens, its prompt's
// log-probabilities.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/thread_pool.h"
#include "engine/session.h"
#include "engine/top_logprobs.h"
#include "kernels/kernel_set.h"
#include "sampling/sampler.h"
#include "scheduler_fixture.h"

namespace headway::parity {
namespace {

class SchedulerReports : public SchedulerTest {};

// Even one that gives its memory to others half-way is told of what is new, and has each state once.
TEST_P(SchedulerReports, TellsHowFarReadingIsAndHasEveryState) {
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

TEST_P(SchedulerReports, AlternativesAreTheBestOfTheLogits) {
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
TEST_P(SchedulerReports, AlternativesAfterSamplingAreWhatWasDrawnFrom) {
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
TEST_P(SchedulerReports, StatesAreThoseOfASession) {
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

// To the bit those of a session that reads the prompt, in whatever pieces and beside whatever else
// it is read, even by one that gives its memory to others half-way.
TEST_P(SchedulerReports, PromptLogprobsAreThoseOfItsLogits) {
  Open(GetParam(), 1);
  Start({.most_rows = 4, .prompt_tokens_a_step = 7, .kv_tokens = 200});
  std::vector<ScheduledRequest> requests;
  std::vector<std::shared_ptr<Listener>> listeners;
  for (const int64_t length : {1, 2, 17, 90, 100}) {
    for (const int64_t max_new_tokens : {40, 0}) {
      ScheduledRequest request;
      request.prompt = TestIds(length, kVocab);
      request.max_new_tokens = max_new_tokens;
      request.stop_at_end = false;
      request.options.want_logprobs = true;
      request.want_prompt_logprobs = true;
      request.num_alternatives = 2;
      request.share_prefix = false;
      requests.push_back(request);
      listeners.push_back(listeners.empty() ? SubmitHeld(request) : Submit(request));
    }
  }
  listeners.front()->Release();
  for (const auto& listener : listeners) EXPECT_EQ(listener->Wait().reason, EndReason::kMaxTokens);
  EXPECT_GT(scheduler_->Counts().preempted, 0U);
  ThreadPool pool(1);
  sampling::Sampler sampler({}, kVocab, *kernels::SupportedSets().front(), pool);
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::vector<int32_t>& prompt = requests[i].prompt;
    const std::vector<PromptLogprob>& found = listeners[i]->Prompt();
    ASSERT_EQ(found.size() + 1, prompt.size());
    const auto session = NewSession(*alone_, kContext);
    const auto compare = [&](int64_t position, std::span<const float> logits) {
      const auto next = static_cast<size_t>(position + 1);
      if (next == prompt.size()) return;
      EXPECT_EQ(found[next - 1].logprob, sampler.Logprob(logits, prompt[next]));
      const auto best = TopLogprobs(logits, 2);
      ASSERT_EQ(found[next - 1].alternatives.size(), 2U);
      EXPECT_EQ(found[next - 1].alternatives[1].id, best[1].id);
      EXPECT_EQ(found[next - 1].alternatives[0].logprob, best[0].logprob);
    };
    ASSERT_TRUE(session->AppendWithLogits(prompt, compare));
  }
}

// What is said of a token is the same whether it was chosen or given.
TEST_P(SchedulerReports, PromptLogprobsAreThoseOfChoices) {
  Open(GetParam(), 1);
  Start({.most_rows = 2});
  ScheduledRequest request;
  request.prompt = TestIds(30, kVocab);
  request.max_new_tokens = 20;
  request.stop_at_end = false;
  request.options.want_logprobs = true;
  request.options.sampling.temperature = 1.0F;
  const Answer chosen = Submit(request)->Wait();
  request.prompt.insert(request.prompt.end(), chosen.tokens.begin(), chosen.tokens.end());
  request.max_new_tokens = 0;
  request.share_prefix = false;
  request.want_prompt_logprobs = true;
  const auto given = Submit(request);
  given->Wait();
  ASSERT_EQ(given->Prompt().size(), 49U);
  for (size_t i = 0; i < 20; ++i)
    EXPECT_EQ(given->Prompt()[29 + i].logprob, chosen.logprobs[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(Heads, SchedulerReports, testing::Values("full:3", "certified"),
                         [](const testing::TestParamInfo<const char*>& head) {
                           return std::string(head.param).substr(0, 4);
                         });

}  // namespace
}  // namespace headway::parity
