#pragma once

// Many conversations on one executor: a thread that decodes all of them step by step, reads new
// prompts in pieces beside them, shares the keys and values of common beginnings, and keeps those of
// conversations that ended for the ones that go on from there. What a request gets is what it would
// get alone, bit for bit, whatever else runs or ran before. Token ids in, token ids out.

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/executor.h"
#include "engine/kept_prefixes.h"
#include "engine/scheduled_request.h"

namespace headway {

struct SchedulerOptions {
  int64_t most_rows = 8;       // conversations that decode at once; at most Executor::MaxRows()
  int64_t most_waiting = 256;  // requests beyond those are refused
  int64_t prompt_tokens_a_step = 64;  // read beside rows that decode
  int64_t kv_tokens = 0;              // keys and values of all conversations; 0: most_rows contexts
  int64_t context_tokens = 0;         // of a conversation; 0: the model's
  // Tokens that end a text. Null: none.
  std::function<bool(int32_t id)> is_end = nullptr;
};

// Drafts of a step that counters tell apart; there are no more by prompt lookup.
inline constexpr size_t kMostDrafts = 15;

// What the scheduler has done, and does now.
struct SchedulerCounts {
  uint64_t requests = 0;  // that ended
  uint64_t failed = 0;
  uint64_t cancelled = 0;
  uint64_t refused = 0;
  uint64_t preempted = 0;  // times that a conversation gave its memory to others
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;  // of them, not read again
  uint64_t prompt_ns = 0;
  uint64_t new_tokens = 0;
  uint64_t decode_ns = 0;
  uint64_t steps = 0;        // that decoded
  uint64_t step_rows = 0;    // conversations that decoded in these steps
  uint64_t read_steps = 0;   // that read prompts and decoded nothing
  uint64_t draft_steps = 0;  // of a conversation, with drafts
  uint64_t drafted = 0;
  uint64_t accepted = 0;
  // Of them, by how many drafts of their step came before.
  std::array<uint64_t, kMostDrafts> accepted_at{};
  Counters heads;  // sums over requests that ended: what heads and layers did
  int64_t waiting = 0;
  int64_t running = 0;
  int64_t kept = 0;
  int64_t kv_tokens_used = 0;
  int64_t kv_tokens = 0;
  int64_t longest = 0;  // tokens of a conversation
};

// One conversation that runs now.
struct RunningRequest {
  uint64_t id = 0;
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;
  int64_t new_tokens = 0;
  bool is_reading = false;
};

enum class SubmitOutcome { kAccepted, kQueueFull, kClosed };

class Scheduler {
 public:
  // Steps the executor, which no one else may use meanwhile. `executor` makes its sequences. Errors:
  // kInvalidInput (rows, budgets), those of Executor::NewSequence.
  static Result<std::unique_ptr<Scheduler>> Start(std::shared_ptr<Executor> executor,
                                                  const Pipeline& pipeline,
                                                  SchedulerOptions options);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;
  // Cancels what runs and waits.
  ~Scheduler();

  const SchedulerOptions& Options() const { return options_; }

  // The sink's last call is OnEnd(), if the request was accepted. `handle` (may be null) gets what
  // cancels it.
  SubmitOutcome Submit(ScheduledRequest request, std::shared_ptr<RequestSink> sink,
                       RequestHandle* handle);

  // No further requests; those accepted go on.
  void Close();
  // Ends all of them.
  void CancelAll();

  SchedulerCounts Counts() const;
  std::vector<RunningRequest> Running() const;

 private:
  using Entry = std::unique_ptr<ScheduledEntry>;

  Scheduler(std::shared_ptr<Executor> executor, int64_t hidden_size, SchedulerOptions options);

  void Loop();
  bool TakeSubmitted();
  void DropDead();
  void Admit();
  std::vector<Entry>::iterator NextWaiting();
  Result<void> MakeSequence(ScheduledEntry* entry);
  void KeepPrefixOf(const Sequence& sequence);
  bool Begin(ScheduledEntry* entry);
  void Step();
  void PlanReads(std::span<ScheduledEntry* const> readers, bool others_decode);
  void MakeRoom();
  void EndReads();
  Result<void> ScorePrompt(ScheduledEntry* entry);
  void EndRows();
  EndReason TakeChoices(ScheduledEntry* entry, std::span<const Sequence::Choice> choices);
  static RequestProgress ProgressOf(const ScheduledEntry& entry);
  static void TellReading(ScheduledEntry* entry);
  void Finish(ScheduledEntry* entry, EndReason reason, Error error = {});
  void RemoveFinished();
  int64_t TokensInUse() const;
  void Publish();

  const std::shared_ptr<Executor> executor_;
  const int64_t hidden_size_;
  const SchedulerOptions options_;

  // The thread's own.
  std::vector<Entry> waiting_;  // in order of arrival; those that gave their memory away come first
  std::vector<Entry> live_;     // in order of admission
  KeptPrefixes kept_;
  std::vector<ScheduledEntry*> row_entries_;
  std::vector<BatchRow> rows_;
  std::vector<ScheduledEntry*> read_entries_;
  std::vector<ReadRow> reads_;
  SchedulerCounts counts_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::vector<Entry> submitted_;
  int64_t num_waiting_ = 0;  // submitted and waiting
  uint64_t next_id_ = 1;
  uint64_t refused_ = 0;
  bool closed_ = false;
  bool stopping_ = false;
  SchedulerCounts published_;
  std::vector<RunningRequest> running_;

  std::atomic<bool> cancel_all_{false};
  std::thread thread_;
};

}  // namespace headway
