#include "server/answers.h"

#include <utility>

namespace headway::server {
namespace {

// What comes within that time is one burst.
constexpr std::chrono::milliseconds kBurst{10};
// How often a wait looks whether the client is there.
constexpr std::chrono::milliseconds kLookEvery{100};

ApiError ShuttingDown() {
  return {.status = 503,
          .type = "unavailable_error",
          .message = "the server is shutting down",
          .code = "shutting_down",
          .retry_after_s = 5};
}

Parsed<void> CheckSubmitted(SubmitOutcome outcome) {
  switch (outcome) {
    case SubmitOutcome::kAccepted:
      return {};
    case SubmitOutcome::kQueueFull:
      return Refuse({.status = 429,
                     .type = "rate_limit_error",
                     .message = "too many requests wait already; try again later",
                     .code = "queue_full",
                     .retry_after_s = 1});
    case SubmitOutcome::kClosed:
      break;
  }
  return Refuse(ShuttingDown());
}

}  // namespace

void AnswerQueue::Push(AnswerEvent event) {
  bool wakes = false;
  {
    const std::lock_guard lock(mutex_);
    has_end_ = has_end_ || event.end.has_value();
    wakes = !is_patient_ || has_end_;
    events_.push_back(std::move(event));
  }
  if (wakes) changed_.notify_one();
}

std::optional<AnswerEvent> AnswerQueue::Pop(std::chrono::milliseconds longest) {
  std::unique_lock lock(mutex_);
  if (events_.empty()) {
    is_patient_ = true;
    changed_.wait_until(lock, burst_ + kBurst, [&] { return has_end_; });
    is_patient_ = false;
    if (!changed_.wait_for(lock, longest, [&] { return !events_.empty(); })) return std::nullopt;
    burst_ = Clock::now();
  }
  AnswerEvent event = std::move(events_.front());
  events_.pop_front();
  if (events_.empty()) has_end_ = false;
  return event;
}

AnswerSink::AnswerSink(std::shared_ptr<AnswerQueue> queue, int64_t index,
                       const tokenizer::Tokenizer& tokenizer, AnswerOptions options)
    : queue_(std::move(queue)),
      index_(index),
      options_(std::move(options)),
      decoder_(tokenizer, options_.starts_text),
      stops_(options_.stop) {}

void AnswerSink::OnReading(const RequestProgress& progress) {
  if (!options_.want_reading) return;
  queue_->Push(
      {.index = index_, .text = {}, .tokens = {}, .end = std::nullopt, .progress = progress});
}

void AnswerSink::OnPrompt(std::vector<PromptLogprob>&& logprobs) {
  queue_->Push({.index = index_,
                .text = {},
                .tokens = {},
                .end = std::nullopt,
                .prompt = std::move(logprobs)});
}

bool AnswerSink::OnTokens(const NewTokens& tokens) {
  AnswerEvent event{.index = index_, .text = {}, .tokens = {}, .end = std::nullopt};
  const std::vector<TokenFacts> facts =
      options_.want_facts ? facts_.Read(tokens) : std::vector<TokenFacts>();
  for (size_t i = 0; i < tokens.choices.size() && !stops_.Found(); ++i) {
    const auto& choice = tokens.choices[i];
    const bool is_last = i + 1 == tokens.choices.size();
    if (tokens.ended && is_last) break;
    event.text += stops_.Push(decoder_.Push(choice.token));
    if (!options_.want_tokens) continue;
    event.tokens.push_back({.id = choice.token, .logprob = choice.logprob, .alternatives = {}});
    if (options_.want_facts) event.tokens.back().facts = facts[i];
    if (is_last) {
      event.tokens.back().alternatives.assign(tokens.alternatives.begin(),
                                              tokens.alternatives.end());
      if (tokens.drawn_logprob) event.tokens.back().logprob = *tokens.drawn_logprob;
    }
  }
  const bool goes_on = !stops_.Found();
  if (tokens.progress != nullptr) event.progress = *tokens.progress;
  if (!event.text.empty() || !event.tokens.empty()) queue_->Push(std::move(event));
  return goes_on;
}

void AnswerSink::OnEnd(const RequestEnd& end) {
  std::string rest = stops_.Push(decoder_.Finish());
  rest += stops_.Finish();
  queue_->Push({.index = index_,
                .text = std::move(rest),
                .tokens = {},
                .end = AnswerEnd{.request = end, .stop = stops_.Found().value_or("")}});
}

Parsed<std::unique_ptr<Answers>> Answers::Begin(Scheduler* scheduler,
                                                const tokenizer::Tokenizer& tokenizer,
                                                std::vector<ScheduledRequest> requests,
                                                const AnswerOptions& options) {
  std::unique_ptr<Answers> answers(new Answers());
  if (!requests.empty())
    answers->prompt_tokens_ = static_cast<int64_t>(requests.front().prompt.size());
  for (ScheduledRequest& request : requests) {
    const auto index = static_cast<int64_t>(answers->handles_.size());
    RequestHandle handle;
    const auto outcome = scheduler->Submit(
        std::move(request),
        std::make_shared<AnswerSink>(answers->queue_, index, tokenizer, options), &handle);
    if (auto accepted = CheckSubmitted(outcome); !accepted) return Refuse(accepted.error());
    answers->handles_.push_back(std::move(handle));
    ++answers->num_open_;
  }
  return answers;
}

Answers::~Answers() {
  if (num_open_ == 0) return;
  for (const RequestHandle& handle : handles_) handle.Cancel();
}

Parsed<void> Answers::WaitForFirst(const IsThere& is_there) {
  first_ = Next(is_there);
  if (!first_ || !first_->end) return {};
  if (auto mistake = MistakeOf(first_->end->request)) return Refuse(*std::move(mistake));
  return {};
}

std::optional<AnswerEvent> Answers::Next(const IsThere& is_there) {
  if (first_) return std::exchange(first_, std::nullopt);
  while (num_open_ > 0 && !gone_) {
    std::optional<AnswerEvent> event = queue_->Pop(kLookEvery);
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ >= kLookEvery) {
      looked_ = now;
      gone_ = !is_there();
    }
    if (!event) continue;
    if (event->end) --num_open_;
    return event;
  }
  return std::nullopt;
}

Parsed<std::vector<WholeAnswer>> Collect(Answers* answers, const IsThere& is_there) {
  std::vector<WholeAnswer> whole(static_cast<size_t>(answers->Count()));
  while (auto event = answers->Next(is_there)) {
    WholeAnswer& answer = whole[static_cast<size_t>(event->index)];
    answer.text += event->text;
    if (event->IsPrompt()) answer.prompt = std::move(event->prompt);
    for (TokenText& token : event->tokens) answer.tokens.push_back(std::move(token));
    if (!event->end) continue;
    if (auto mistake = MistakeOf(event->end->request)) return Refuse(*std::move(mistake));
    answer.end = std::move(*event->end);
  }
  if (answers->ClientIsGone())
    return Refuse({.status = 499, .type = "cancelled", .message = "the client has gone"});
  return whole;
}

std::optional<ApiError> MistakeOf(const RequestEnd& end) {
  if (end.reason == EndReason::kFailed) return FromError(end.error);
  if (end.reason == EndReason::kCancelled) return ShuttingDown();
  if (end.reason != EndReason::kDeadline) return std::nullopt;
  return ApiError{.status = 504, .type = "timeout_error", .message = "the deadline has passed"};
}

std::string FinishReason(EndReason reason) {
  return reason == EndReason::kMaxTokens || reason == EndReason::kContextFull ? "length" : "stop";
}

}  // namespace headway::server
