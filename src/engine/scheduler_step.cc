// A step of the scheduler: what runs in it, and what becomes of it.

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "engine/read_shares.h"
#include "engine/scheduler.h"

namespace headway {
namespace {

// A row runs up to so many tokens before the one it chooses; more are read in pieces first.
constexpr int64_t kMostInRow = 16;
// Tokens of a step that drafts may fill up to: further ones cost time where weights come from memory.
constexpr int64_t kTokensWithDrafts = 16;

bool MustRead(const ScheduledEntry& entry) {
  const int64_t most_in_row = entry.request.want_prompt_logprobs ? 1 : kMostInRow;
  return entry.request.max_new_tokens == 0 || entry.sequence->NumPending() > most_in_row;
}

// Whether tokens of the prompt are still to be told with their log-probability.
bool MustScore(const ScheduledEntry& entry) {
  return entry.request.want_prompt_logprobs &&
         entry.num_scored + 1 < static_cast<int64_t>(entry.request.prompt.size());
}

void AddCounters(const Counters& from, Counters* to) {
  to->steps += from.steps;
  to->step_tokens += from.step_tokens;
  to->layers_ns += from.layers_ns;
  to->layers_bytes_read += from.layers_bytes_read;
  to->head_ns += from.head_ns;
  to->head_reduce_ns += from.head_reduce_ns;
  to->head_bytes_read += from.head_bytes_read;
  to->head_rows_screened += from.head_rows_screened;
  to->head_rows_rescored += from.head_rows_rescored;
  to->head_fallbacks += from.head_fallbacks;
  to->forced_tokens += from.forced_tokens;
}

}  // namespace

void Scheduler::Step() {
  for (const Entry& entry : live_) {
    // Where the rotary factors change, everything is read again.
    if (entry->begun) entry->sequence->BeginReading(entry->sequence->Length(), "decode");
  }
  MakeRoom();
  rows_.clear();
  row_entries_.clear();
  std::vector<ScheduledEntry*> readers;
  for (const Entry& entry : live_) {
    if (!entry->begun && !Begin(entry.get())) continue;
    (MustRead(*entry) ? readers : row_entries_).push_back(entry.get());
  }
  const auto num_rows = static_cast<int64_t>(row_entries_.size());
  for (ScheduledEntry* entry : row_entries_) {
    BatchRow row{.sequence = entry->sequence.get()};
    if (entry->drafts != nullptr) {
      const int64_t left = entry->request.max_new_tokens - entry->new_tokens - 1;
      const int64_t room = std::min(kTokensWithDrafts / num_rows - 1, left);
      row.drafts = entry->drafts->Propose(entry->sequence->Tokens(), room);
    }
    rows_.push_back(std::move(row));
  }
  PlanReads(readers, num_rows > 0);
  if (rows_.empty() && reads_.empty()) return;
  const uint64_t start = NowNs();
  executor_->Step(rows_, reads_);
  if (num_rows > 0) {
    ++counts_.steps;
    counts_.step_rows += static_cast<uint64_t>(num_rows);
    counts_.decode_ns += NowNs() - start;
  } else {
    ++counts_.read_steps;
    counts_.prompt_ns += NowNs() - start;
  }
  EndReads();
  EndRows();
}

void Scheduler::PlanReads(std::span<ScheduledEntry* const> readers, bool others_decode) {
  reads_.clear();
  read_entries_.clear();
  std::vector<int64_t> wanted;
  for (const ScheduledEntry* entry : readers) {
    // The last token runs with the head.
    const int64_t last = entry->request.max_new_tokens == 0 ? 0 : 1;
    wanted.push_back(entry->sequence->NumPending() - last);
  }
  const std::vector<int64_t> shares =
      ReadShares(wanted, others_decode ? options_.prompt_tokens_a_step : executor_->MaxRows());
  for (size_t i = 0; i < readers.size(); ++i) {
    if (shares[i] < 1) continue;
    ScheduledEntry* const entry = readers[i];
    ReadRow read{.sequence = entry->sequence.get(), .most_tokens = shares[i]};
    if (entry->request.want_all_states || MustScore(*entry)) {
      read.states = [entry, D = hidden_size_](const float* hidden, int64_t num_tokens) {
        entry->states.insert(entry->states.end(), hidden, hidden + num_tokens * D);
      };
    } else if (entry->request.want_mean_state) {
      read.states = [entry](const float* hidden, int64_t num_tokens) {
        const int64_t D = static_cast<int64_t>(entry->state_sum.size());
        for (int64_t t = 0; t < num_tokens; ++t) {
          for (int64_t c = 0; c < D; ++c)
            entry->state_sum[static_cast<size_t>(c)] += static_cast<double>(hidden[t * D + c]);
        }
      };
    }
    read_entries_.push_back(entry);
    reads_.push_back(std::move(read));
  }
}

// Keys and values of the next step fit into the budget: what is kept goes first, then the newest
// conversations give theirs back and wait.
void Scheduler::MakeRoom() {
  int64_t growth = 0;
  for (const Entry& entry : live_) {
    const int64_t pending = entry->begun ? entry->sequence->NumPending() : 1;
    growth += std::min(pending, options_.prompt_tokens_a_step) +
              (entry->drafts != nullptr ? entry->request.most_drafts : 0);
  }
  const auto too_many = [&] { return TokensInUse() + growth > options_.kv_tokens; };
  while (too_many() && !kept_.Empty()) kept_.DropOldest();
  while (too_many() && live_.size() > 1) {
    Entry entry = std::move(live_.back());
    live_.pop_back();
    entry->sequence->ForgetCache();
    // What is read again is counted again.
    std::fill(entry->state_sum.begin(), entry->state_sum.end(), 0.0);
    entry->states.clear();
    ++counts_.preempted;
    waiting_.insert(waiting_.begin(), std::move(entry));
  }
}

void Scheduler::EndReads() {
  for (size_t i = 0; i < reads_.size(); ++i) {
    ScheduledEntry* const entry = read_entries_[i];
    if (!reads_[i].outcome) {
      Finish(entry, EndReason::kFailed, reads_[i].outcome.error());
    } else if (const auto scored = ScorePrompt(entry); !scored) {
      Finish(entry, EndReason::kFailed, scored.error());
    } else if (entry->request.max_new_tokens == 0 && entry->sequence->NumPending() == 0) {
      Finish(entry, EndReason::kMaxTokens);
    } else {
      TellReading(entry);
    }
  }
}

// What was read of the prompt since the last time. Who had to read again has told of some already.
Result<void> Scheduler::ScorePrompt(ScheduledEntry* entry) {
  if (!MustScore(*entry)) return {};
  const std::vector<int32_t>& prompt = entry->request.prompt;
  const auto score = [&](int64_t position, std::span<const float> logits) {
    const auto next = static_cast<size_t>(position + 1);
    if (position != entry->num_scored || next >= prompt.size()) return;
    ++entry->num_scored;
    entry->prompt_logprobs.push_back(
        {.logprob = entry->sequence->LogprobOf(logits, prompt[next]),
         .alternatives = TopLogprobs(logits, entry->request.num_alternatives)});
  };
  const std::vector<float> states = std::exchange(entry->states, {});
  const int64_t count = static_cast<int64_t>(states.size()) / hidden_size_;
  const int64_t first = entry->sequence->NumCached() - count;
  HW_TRY_VOID(executor_->LogitsOf(states, first, entry->sequence.get(), score));
  if (!MustScore(*entry)) entry->sink->OnPrompt(std::move(entry->prompt_logprobs));
  return {};
}

void Scheduler::EndRows() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    ScheduledEntry* const entry = row_entries_[i];
    const auto& choices = rows_[i].choices;
    if (!choices) {
      Finish(entry, EndReason::kFailed, choices.error());
      continue;
    }
    const EndReason reason = TakeChoices(entry, *choices);
    if (reason != EndReason::kGoesOn) Finish(entry, reason);
  }
}

EndReason Scheduler::TakeChoices(ScheduledEntry* entry, std::span<const Sequence::Choice> choices) {
  Sequence* const sequence = entry->sequence.get();
  const ScheduledRequest& request = entry->request;
  const auto count = static_cast<int64_t>(choices.size());
  entry->new_tokens += count;
  entry->last_token_ns = NowNs();
  if (entry->first_token_ns == 0) {
    entry->first_token_ns = entry->last_token_ns;
    sequence->CountPrefill(entry->first_token_ns - entry->admitted_ns,
                           request.prompt.size() - static_cast<size_t>(entry->cached_tokens));
    TellReading(entry);
  }
  if (entry->drafts != nullptr) {
    const int64_t drafted =
        count > 1 ? std::max(sequence->NumDrafts(), count - 1) : sequence->NumDrafts();
    counts_.draft_steps += drafted > 0 ? 1 : 0;
    counts_.drafted += static_cast<uint64_t>(drafted);
    counts_.accepted += static_cast<uint64_t>(count - 1);
    for (size_t i = 0; i + 1 < choices.size() && i < kMostDrafts; ++i) ++counts_.accepted_at[i];
    entry->drafts->Saw(sequence->Tokens(), drafted, count);
  }
  std::vector<TokenLogprob> alternatives;
  std::optional<float> drawn_logprob;
  if (request.num_alternatives > 0) {
    const auto logits = executor_->Logits(sequence);
    if (logits && request.after_sampling) {
      const auto drawn_from = sequence->DrawnFrom(*logits, request.num_alternatives);
      for (const auto& [id, probability] : drawn_from.best)
        alternatives.push_back({.id = id, .logprob = static_cast<float>(std::log(probability))});
      drawn_logprob = static_cast<float>(std::log(drawn_from.chosen));
    } else if (logits) {
      alternatives = TopLogprobs(*logits, request.num_alternatives);
    }
  }
  const bool ended =
      request.stop_at_end && options_.is_end && options_.is_end(choices.back().token);
  const RequestProgress progress = ProgressOf(*entry);
  const bool wants_more =
      entry->sink->OnTokens({.choices = choices,
                             .certificates = sequence->Certificates(),
                             .alternatives = alternatives,
                             .drawn_logprob = drawn_logprob,
                             .ended = ended,
                             .counters = &sequence->GetCounters(),
                             .progress = request.want_progress ? &progress : nullptr});
  counts_.new_tokens += static_cast<uint64_t>(count);
  counts_.longest = std::max(counts_.longest, sequence->Length());
  if (ended || sequence->GrammarIsOver()) return EndReason::kEndToken;
  if (!wants_more) return EndReason::kStopped;
  const bool ran_out =
      entry->new_tokens >= request.max_new_tokens || sequence->Length() >= sequence->Capacity();
  if (ran_out && sequence->TextIsFinal()) return EndReason::kEndToken;
  if (entry->new_tokens >= request.max_new_tokens) return EndReason::kMaxTokens;
  return sequence->Length() >= sequence->Capacity() ? EndReason::kContextFull : EndReason::kGoesOn;
}

RequestProgress Scheduler::ProgressOf(const ScheduledEntry& entry) {
  const auto prompt_tokens = static_cast<int64_t>(entry.request.prompt.size());
  const bool has_first = entry.first_token_ns != 0;
  return {.prompt_tokens = prompt_tokens,
          .cached_tokens = entry.cached_tokens,
          .read_tokens = std::min(entry.sequence->NumCached(), prompt_tokens),
          .new_tokens = entry.new_tokens,
          .waited_ns = entry.admitted_ns - entry.submitted_ns,
          .prompt_ns = (has_first ? entry.first_token_ns : NowNs()) - entry.admitted_ns,
          .decode_ns = has_first ? entry.last_token_ns - entry.first_token_ns : 0};
}

// Who had to read again is told of what is new.
void Scheduler::TellReading(ScheduledEntry* entry) {
  if (!entry->request.want_progress) return;
  RequestProgress progress = ProgressOf(*entry);
  if (progress.read_tokens <= entry->told_tokens) return;
  // Nothing was read yet when it is told the first time.
  if (entry->told_tokens < 0) progress.prompt_ns = 0;
  entry->told_tokens = progress.read_tokens;
  progress.new_tokens = 0;
  progress.decode_ns = 0;
  entry->sink->OnReading(progress);
}

void Scheduler::Finish(ScheduledEntry* entry, EndReason reason, Error error) {
  entry->end = reason;
  ++counts_.requests;
  if (reason == EndReason::kFailed) ++counts_.failed;
  if (reason == EndReason::kCancelled || reason == EndReason::kDeadline) ++counts_.cancelled;
  RequestEnd end{.reason = reason,
                 .error = std::move(error),
                 .prompt_tokens = static_cast<int64_t>(entry->request.prompt.size()),
                 .cached_tokens = entry->cached_tokens,
                 .new_tokens = entry->new_tokens,
                 .waited_ns = 0,
                 .prompt_ns = 0,
                 .decode_ns = 0,
                 .counters = {}};
  if (entry->sequence != nullptr) {
    const Sequence& sequence = *entry->sequence;
    end.counters = sequence.GetCounters();
    end.waited_ns = entry->admitted_ns - entry->submitted_ns;
    const uint64_t read_at = entry->first_token_ns == 0 ? NowNs() : entry->first_token_ns;
    end.prompt_ns = read_at - entry->admitted_ns;
    end.decode_ns = entry->first_token_ns == 0 ? 0 : entry->last_token_ns - entry->first_token_ns;
    AddCounters(end.counters, &counts_.heads);
    if (entry->begun) {
      counts_.prompt_tokens += static_cast<uint64_t>(end.prompt_tokens);
      counts_.cached_tokens += static_cast<uint64_t>(end.cached_tokens);
    }
    const auto hidden = sequence.Hidden();
    if (entry->request.max_new_tokens == 0) end.state.assign(hidden.begin(), hidden.end());
    if (entry->request.want_all_states) end.state = std::move(entry->states);
    for (size_t c = 0; c < entry->state_sum.size() && c < end.state.size(); ++c) {
      end.state[c] =
          static_cast<float>(entry->state_sum[c] / static_cast<double>(end.prompt_tokens));
    }
  }
  entry->sink->OnEnd(end);
}

void Scheduler::RemoveFinished() {
  for (std::vector<Entry>* entries : {&waiting_, &live_}) {
    for (const Entry& entry : *entries) {
      if (entry->end == EndReason::kGoesOn || entry->end == EndReason::kFailed) continue;
      if (entry->begun && entry->request.share_prefix) KeepPrefixOf(*entry->sequence);
    }
    std::erase_if(*entries, [](const Entry& entry) { return entry->end != EndReason::kGoesOn; });
  }
}

}  // namespace headway
