#pragma once

// Requests to a scheduler over a small model, those who listen to them, and what each gets alone.

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/open.h"
#include "engine/scheduler.h"
#include "grammar/token_trie.h"
#include "model_fixture.h"

namespace headway::parity {

inline constexpr int64_t kVocab = 320;
inline constexpr int64_t kContext = 180;
inline constexpr int32_t kEndToken = 319;

// Token 1 + b is the byte b.
std::shared_ptr<const grammar::TokenTrie> ByteTokens();

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
  void OnPrompt(std::vector<PromptLogprob>&& logprobs) override {
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(prompt_.empty() && answer_.tokens.empty()) << "told once, first";
    prompt_ = std::move(logprobs);
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
  const std::vector<PromptLogprob>& Prompt() const { return prompt_; }

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
  std::vector<PromptLogprob> prompt_;
  std::vector<RequestProgress> reading_;
  std::vector<int64_t> written_;
};

// The parameter is the kind of head.
class SchedulerTest : public testing::TestWithParam<const char*> {
 protected:
  void Open(const char* head, int threads);
  void Start(SchedulerOptions options);

  // Prompts have beginnings in common; some cross the border at 64 at which the rotary factors
  // change, while reading or writing.
  ScheduledRequest Draw();
  Answer Alone(const ScheduledRequest& request);

  std::shared_ptr<Listener> SubmitHeld(const ScheduledRequest& request,
                                       RequestHandle* handle = nullptr);
  // Ends after `enough` tokens; 0: never.
  std::shared_ptr<Listener> Submit(const ScheduledRequest& request, RequestHandle* handle = nullptr,
                                   size_t enough = 0);

  std::unique_ptr<TestModel> model_;
  std::string package_;
  std::unique_ptr<OpenedModel> opened_;
  std::unique_ptr<OpenedModel> alone_;
  std::unique_ptr<Scheduler> scheduler_;
  const std::shared_ptr<const grammar::TokenTrie> trie_ = ByteTokens();
  std::mt19937_64 random_{7};
};

}  // namespace headway::parity
