#pragma once

// A request to the scheduler (scheduler.h), who hears of its tokens, and what becomes of it.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/row_drafts.h"
#include "engine/sequence.h"
#include "engine/top_logprobs.h"
#include "headway/certificate.h"
#include "headway/counters.h"

namespace headway {

struct ScheduledRequest {
  std::vector<int32_t> prompt;  // at least one token
  int64_t max_new_tokens = 0;   // 0: the prompt is read, and no more
  // How it chooses. Capacity, progress and cancelling are the scheduler's.
  SessionOptions options;
  int64_t most_drafts = 0;       // a step, by prompt lookup; they change speed, never a token
  int64_t num_alternatives = 0;  // most likely tokens told with each choice
  bool after_sampling = false;   // those of what it was drawn from, which may be fewer
  bool stop_at_end = true;       // at tokens that end a text
  bool share_prefix = true;      // may begin with keys and values that others computed
  bool want_mean_state = false;  // RequestEnd::state is the mean of all, not the last one
  bool want_all_states = false;  // RequestEnd::state has all of them; share_prefix must be off
  // The sink hears of the prompt's tokens, too, with num_alternatives each; share_prefix must be off.
  bool want_prompt_logprobs = false;
  bool want_progress = false;  // the sink hears how far it is
  std::string client = {};     // those of one client take turns with those of the others
  uint64_t deadline_ns = 0;    // of NowNs(); 0: none
};

enum class EndReason {
  kGoesOn,  // not over
  kEndToken,
  kMaxTokens,
  kContextFull,
  kStopped,  // the sink had enough
  kCancelled,
  kDeadline,
  kFailed,
};

struct RequestEnd {
  EndReason reason = EndReason::kGoesOn;
  Error error = {};  // of kFailed
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, not read again
  int64_t new_tokens = 0;
  uint64_t waited_ns = 0;  // for its turn
  uint64_t prompt_ns = 0;  // from then to the first token
  uint64_t decode_ns = 0;  // from the first token to the last
  Counters counters;
  // [D], or [prompt_tokens, D], before the head's norm: when no tokens were asked for.
  std::vector<float> state = {};
};

// How far a request is.
struct RequestProgress {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, not read again
  int64_t read_tokens = 0;    // of the prompt, the cached ones among them
  int64_t new_tokens = 0;
  uint64_t waited_ns = 0;
  uint64_t prompt_ns = 0;  // so far
  uint64_t decode_ns = 0;
};

// What a step chose for a request.
struct NewTokens {
  std::span<const sampling::Sampler::Choice> choices;
  std::span<const Certificate> certificates;   // one each with a certified head, else none
  std::span<const TokenLogprob> alternatives;  // of the only choice, when asked for
  std::optional<float> drawn_logprob = {};     // of it, where they are those after sampling
  bool ended = false;                          // the last one ends the text and is no part of it
  const Counters* counters = nullptr;          // the conversation's, this step among them
  const RequestProgress* progress = nullptr;   // where it is wanted
};

// A token of a prompt, after all those before it: as the model itself sees it, before sampling.
struct PromptLogprob {
  float logprob = 0.0F;
  std::vector<TokenLogprob> alternatives = {};
};

// Called by the scheduler's thread between steps: must be quick, and must not call the scheduler.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  // When reading of the prompt begins, and after each piece of it, where progress is wanted.
  virtual void OnReading(const RequestProgress&) {}
  // Of each token of the prompt but the first, once, before the first OnTokens(), where they are
  // wanted and there are any.
  virtual void OnPrompt(std::vector<PromptLogprob>&&) {}
  // False: that was enough, the request ends.
  virtual bool OnTokens(const NewTokens& tokens) = 0;
  // The last call.
  virtual void OnEnd(const RequestEnd& end) = 0;
};

// Ends a request from any thread, at the next step; nothing when it is over.
class RequestHandle {
 public:
  RequestHandle() = default;
  explicit RequestHandle(std::shared_ptr<std::atomic<bool>> cancelled)
      : cancelled_(std::move(cancelled)) {}
  void Cancel() const {
    if (cancelled_ != nullptr) cancelled_->store(true, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

// A request on its way through the scheduler; for that alone.
struct ScheduledEntry {
  uint64_t id = 0;
  ScheduledRequest request;
  std::shared_ptr<RequestSink> sink;
  std::shared_ptr<std::atomic<bool>> cancelled;
  std::unique_ptr<Sequence> sequence;  // null: it waits for its first turn
  std::unique_ptr<RowDrafts> drafts;   // null: none
  bool begun = false;                  // the sequence has the prompt's tokens
  int64_t cached_tokens = 0;
  int64_t new_tokens = 0;
  std::vector<double> state_sum = {};  // of all positions, when their mean is wanted
  std::vector<float> states = {};      // [position, D], when all are wanted; else those to score
  int64_t num_scored = 0;              // of the prompt's tokens but the first
  std::vector<PromptLogprob> prompt_logprobs = {};
  int64_t told_tokens = -1;  // of the prompt, that the sink heard of
  uint64_t submitted_ns = 0;
  uint64_t admitted_ns = 0;
  uint64_t first_token_ns = 0;
  uint64_t last_token_ns = 0;
  EndReason end = EndReason::kGoesOn;
};

}  // namespace headway
