#pragma once

// The answers to a request as text: tokens from the scheduler's thread become text there, and wait
// for the connection's thread, which writes them out. A client that goes away ends them.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/scheduler.h"
#include "engine/stop_matcher.h"
#include "server/api_error.h"
#include "server/token_facts.h"
#include "tokenizer/stream_decoder.h"

namespace headway::server {

// A token of an answer, for who wants to know.
struct TokenText {
  int32_t id = -1;
  float logprob = 0.0F;
  std::vector<TokenLogprob> alternatives;
  TokenFacts facts = {};  // when they are wanted
};

struct AnswerEnd {
  RequestEnd request;
  std::string stop = {};  // the stop string that was found
};

// What became known of answer number `index`.
struct AnswerEvent {
  int64_t index = 0;
  std::string text;
  std::vector<TokenText> tokens;
  std::optional<AnswerEnd> end;
  // Of the prompt's tokens but the first, once, before all others, where they are wanted.
  std::vector<PromptLogprob> prompt = {};
  // How far it is, where that is wanted: with tokens, and by itself while the prompt is read.
  std::optional<RequestProgress> progress = {};

  bool IsReading() const { return progress && tokens.empty() && text.empty() && !end; }
  bool IsPrompt() const { return !prompt.empty(); }
};

// A reader that is woken for each token takes a processor from the step that makes the next one, and
// its client does so again: 207 tokens/s of Gemma 3 270M on two processors, 242 in bursts. So what
// comes within 10 ms of the last time that the queue was found empty is taken together; the first
// event and an answer's end are not waited with.
class AnswerQueue {
 public:
  void Push(AnswerEvent event);
  // Waits at most that long; absent: nothing came. For one thread.
  std::optional<AnswerEvent> Pop(std::chrono::milliseconds longest);

 private:
  using Clock = std::chrono::steady_clock;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<AnswerEvent> events_;
  Clock::time_point burst_{};  // when the last wait ended with an event
  bool is_patient_ = false;    // the reader waits for a burst: only an end wakes it
  bool has_end_ = false;       // among events_
};

struct AnswerOptions {
  std::vector<std::string> stop;
  bool want_tokens = false;
  bool want_facts = false;    // of the tokens
  bool want_reading = false;  // events while prompts are read
  bool starts_text = false;   // the answer begins a text of its own, as in a chat
};

// The scheduler's listener of one answer.
class AnswerSink final : public RequestSink {
 public:
  // `tokenizer` must outlive this.
  AnswerSink(std::shared_ptr<AnswerQueue> queue, int64_t index,
             const tokenizer::Tokenizer& tokenizer, AnswerOptions options);
  void OnReading(const RequestProgress& progress) override;
  void OnPrompt(std::vector<PromptLogprob>&& logprobs) override;
  bool OnTokens(const NewTokens& tokens) override;
  void OnEnd(const RequestEnd& end) override;

 private:
  const std::shared_ptr<AnswerQueue> queue_;
  const int64_t index_;
  const AnswerOptions options_;
  tokenizer::StreamDecoder decoder_;
  StopMatcher stops_;
  TokenFactsReader facts_;
};

// Whether the client is still there.
using IsThere = std::function<bool()>;

// All of a request's answers.
class Answers {
 public:
  // Submits the requests, in order. Errors: 429 and 503, with Retry-After; none runs then.
  static Parsed<std::unique_ptr<Answers>> Begin(Scheduler* scheduler,
                                                const tokenizer::Tokenizer& tokenizer,
                                                std::vector<ScheduledRequest> requests,
                                                const AnswerOptions& options);
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;
  ~Answers();  // cancels what is not over

  // Of the first one's prompt.
  int64_t PromptTokens() const { return prompt_tokens_; }
  int64_t Count() const { return static_cast<int64_t>(handles_.size()); }
  // Waits for the first event of all and leaves it to Next(), so that a request that cannot run is
  // refused before anything is written. Errors: what it failed with.
  Parsed<void> WaitForFirst(const IsThere& is_there);
  // The next event; absent: all answers are over, or the client has gone and they are cancelled.
  std::optional<AnswerEvent> Next(const IsThere& is_there);
  bool ClientIsGone() const { return gone_; }

 private:
  Answers() : queue_(std::make_shared<AnswerQueue>()) {}

  const std::shared_ptr<AnswerQueue> queue_;
  std::vector<RequestHandle> handles_;
  int64_t num_open_ = 0;
  int64_t prompt_tokens_ = 0;
  std::optional<AnswerEvent> first_;
  std::chrono::steady_clock::time_point looked_{};  // when the client was last seen
  bool gone_ = false;
};

// An answer as a whole.
struct WholeAnswer {
  std::string text;
  std::vector<PromptLogprob> prompt = {};
  std::vector<TokenText> tokens;
  AnswerEnd end;
};
// Waits for all. Errors: the first failure; 499 when the client has gone.
Parsed<std::vector<WholeAnswer>> Collect(Answers* answers, const IsThere& is_there);

// What to say of an answer that was not finished; absent: it was.
std::optional<ApiError> MistakeOf(const RequestEnd& end);
// "stop" or "length".
std::string FinishReason(EndReason reason);

}  // namespace headway::server
