#include "engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/clock.h"
#include "base/exhaustion.h"

namespace headway {
namespace {

Result<SchedulerOptions> WithDefaults(SchedulerOptions options, int64_t model_context,
                                      int64_t most_rows) {
  if (options.most_rows < 1 || options.most_rows > most_rows) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("conversations at once: expected 1 to {}, found {}", most_rows,
                            options.most_rows));
  }
  if (options.context_tokens < 0 || options.context_tokens > model_context) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("context: expected 1 to {} tokens (0: all of them), found {}",
                            model_context, options.context_tokens));
  }
  if (options.kv_tokens < 0 || options.most_waiting < 0 || options.prompt_tokens_a_step < 1) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format("scheduler: expected budgets of 0 or more tokens and requests, and of 1 "
                    "or more prompt tokens a step, found {}, {} and {}",
                    options.kv_tokens, options.most_waiting, options.prompt_tokens_a_step));
  }
  if (options.context_tokens == 0) options.context_tokens = model_context;
  if (options.kv_tokens == 0) options.kv_tokens = options.most_rows * options.context_tokens;
  // One conversation alone always fits.
  options.context_tokens = std::min(options.context_tokens, options.kv_tokens);
  options.prompt_tokens_a_step = std::min(options.prompt_tokens_a_step, most_rows);
  return options;
}

}  // namespace

Result<std::unique_ptr<Scheduler>> Scheduler::Start(std::shared_ptr<Executor> executor,
                                                    const Pipeline& pipeline,
                                                    SchedulerOptions options) {
  HW_TRY(
      SchedulerOptions checked,
      WithDefaults(std::move(options), pipeline.manifest().ContextTokens(), executor->MaxRows()));
  std::unique_ptr<Scheduler> scheduler(
      new Scheduler(std::move(executor), pipeline.model().hidden_size, std::move(checked)));
  HW_TRY(scheduler->thread_,
         StartThread("the scheduler", [loop = scheduler.get()] { loop->Loop(); }));
  return scheduler;
}

Scheduler::Scheduler(std::shared_ptr<Executor> executor, int64_t hidden_size,
                     SchedulerOptions options)
    : executor_(std::move(executor)), hidden_size_(hidden_size), options_(std::move(options)) {
  counts_.kv_tokens = options_.kv_tokens;
  published_ = counts_;
}

Scheduler::~Scheduler() {
  Close();
  CancelAll();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

SubmitOutcome Scheduler::Submit(ScheduledRequest request, std::shared_ptr<RequestSink> sink,
                                RequestHandle* handle) {
  auto entry = std::make_unique<ScheduledEntry>();
  entry->request = std::move(request);
  entry->sink = std::move(sink);
  entry->cancelled = std::make_shared<std::atomic<bool>>(false);
  entry->submitted_ns = NowNs();
  const RequestHandle made(entry->cancelled);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return SubmitOutcome::kClosed;
    // Those that can run at once do not wait.
    if (num_waiting_ >=
        options_.most_waiting + options_.most_rows - static_cast<int64_t>(running_.size())) {
      ++refused_;
      return SubmitOutcome::kQueueFull;
    }
    ++num_waiting_;
    entry->id = next_id_++;
    submitted_.push_back(std::move(entry));
  }
  wake_.notify_all();
  if (handle != nullptr) *handle = made;
  return SubmitOutcome::kAccepted;
}

void Scheduler::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void Scheduler::CancelAll() { cancel_all_.store(true, std::memory_order_relaxed); }

SchedulerCounts Scheduler::Counts() const {
  const std::lock_guard lock(mutex_);
  SchedulerCounts counts = published_;
  counts.waiting = num_waiting_;
  counts.refused = refused_;
  return counts;
}

std::vector<RunningRequest> Scheduler::Running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void Scheduler::Loop() {
  while (TakeSubmitted()) {
    DropDead();
    Admit();
    Step();
    RemoveFinished();
    Publish();
  }
}

// Waits while there is nothing to do; false: there never will be.
bool Scheduler::TakeSubmitted() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] {
    return stopping_ || !submitted_.empty() || !waiting_.empty() || !live_.empty();
  });
  for (Entry& entry : submitted_) waiting_.push_back(std::move(entry));
  submitted_.clear();
  return !(stopping_ && waiting_.empty() && live_.empty());
}

void Scheduler::DropDead() {
  const uint64_t now = NowNs();
  const bool all = cancel_all_.load(std::memory_order_relaxed);
  for (std::vector<Entry>* entries : {&waiting_, &live_}) {
    for (const Entry& entry : *entries) {
      const uint64_t deadline = entry->request.deadline_ns;
      if (all || entry->cancelled->load(std::memory_order_relaxed)) {
        Finish(entry.get(), EndReason::kCancelled);
      } else if (deadline != 0 && now >= deadline) {
        Finish(entry.get(), EndReason::kDeadline);
      }
    }
  }
  RemoveFinished();
}

int64_t Scheduler::TokensInUse() const {
  int64_t tokens = kept_.NumTokens();
  for (const Entry& entry : live_) tokens += entry->sequence->NumCached();
  return tokens;
}

// Who gave memory away goes on first; then the first one of the client that has fewest running.
std::vector<Scheduler::Entry>::iterator Scheduler::NextWaiting() {
  auto next = waiting_.end();
  int64_t fewest = 0;
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if ((*at)->sequence != nullptr) return at;
    const auto running = std::count_if(live_.begin(), live_.end(), [&](const Entry& entry) {
      return entry->request.client == (*at)->request.client;
    });
    if (next != waiting_.end() && running >= fewest) continue;
    next = at;
    fewest = running;
  }
  return next;
}

void Scheduler::Admit() {
  while (!waiting_.empty() && static_cast<int64_t>(live_.size()) < options_.most_rows) {
    const auto next = NextWaiting();
    ScheduledEntry* const entry = next->get();
    const ScheduledRequest& request = entry->request;
    // Who gave memory away reads everything again.
    const auto length =
        entry->begun ? entry->sequence->Length() : static_cast<int64_t>(request.prompt.size());
    const int64_t shared = request.share_prefix && !entry->begun
                               ? kept_.Find(request.prompt, request.options.kv).second
                               : 0;
    const int64_t needed = length - shared + 1;
    while (TokensInUse() + needed > options_.kv_tokens && !kept_.Empty()) kept_.DropOldest();
    if (TokensInUse() + needed > options_.kv_tokens && !live_.empty()) return;
    Entry admitted = std::move(*next);
    waiting_.erase(next);
    if (entry->sequence == nullptr) {
      entry->admitted_ns = NowNs();
      if (const auto made = MakeSequence(entry); !made) {
        Finish(entry, EndReason::kFailed, made.error());
        continue;
      }
    }
    live_.push_back(std::move(admitted));
  }
}

Result<void> Scheduler::MakeSequence(ScheduledEntry* entry) {
  const ScheduledRequest& request = entry->request;
  const auto prompt_tokens = static_cast<int64_t>(request.prompt.size());
  const int64_t most = options_.context_tokens;
  if (prompt_tokens < 1 || prompt_tokens > most || request.max_new_tokens < 0) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("prompt: expected 1 to {} tokens and 0 or more new ones, found {} and "
                            "{}",
                            most, prompt_tokens, request.max_new_tokens));
  }
  SessionOptions options = request.options;
  options.capacity_tokens = prompt_tokens + std::min(request.max_new_tokens, most - prompt_tokens);
  options.progress = nullptr;
  options.cancelled_or_null = nullptr;
  try {
    HW_TRY(entry->sequence, executor_->NewSequence(std::move(options)));
    HW_TRY_VOID(entry->sequence->CheckAppend(request.prompt));
    if (request.want_mean_state) entry->state_sum.resize(static_cast<size_t>(hidden_size_));
    if (request.most_drafts > 0 && request.num_alternatives == 0) {
      const SpeculationParams params{
          .kind = Speculate::kLookup,
          .most_drafts = std::min(request.most_drafts, entry->sequence->MaxDrafts())};
      entry->drafts =
          std::make_unique<RowDrafts>(entry->sequence->Capacity(), params, options_.is_end);
    }
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kIo,
                fmt::format("not enough memory for a conversation of {} tokens (prompt and new "
                            "ones)",
                            prompt_tokens + request.max_new_tokens));
  }
  return {};
}

void Scheduler::Publish() {
  counts_.running = static_cast<int64_t>(live_.size());
  counts_.kept = kept_.Count();
  counts_.kv_tokens_used = TokensInUse();
  const std::lock_guard lock(mutex_);
  published_ = counts_;
  num_waiting_ = static_cast<int64_t>(waiting_.size() + submitted_.size());
  running_.clear();
  for (const Entry& entry : live_) {
    running_.push_back({.id = entry->id,
                        .prompt_tokens = static_cast<int64_t>(entry->request.prompt.size()),
                        .cached_tokens = entry->cached_tokens,
                        .new_tokens = entry->new_tokens,
                        .is_reading = entry->first_token_ns == 0});
  }
}

}  // namespace headway
