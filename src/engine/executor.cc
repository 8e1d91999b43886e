#include "engine/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "engine/full_head.h"
#include "engine/head.h"
#include "engine/share_counters.h"

namespace headway {
namespace {

Result<void> CheckStorable(Pipeline* pipeline, KvType kv) {
  for (const auto& layer : pipeline->Layers()) {
    if (layer->CanStore(kv)) continue;
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("keys and values in {}: expected the device cpu and head_dim a multiple "
                    "of 32, found {} and {}",
                    ToString(kv), pipeline->manifest().device, pipeline->model().head_dim));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<Executor>> Executor::Create(std::shared_ptr<Pipeline> pipeline,
                                                   ThreadPool* pool,
                                                   const kernels::KernelSet& kernels) {
  std::shared_ptr<Executor> executor(new Executor(std::move(pipeline), pool, kernels));
  HW_TRY(executor->head_, MakeHead(executor->pipeline_.get(), pool, kernels));
  return executor;
}

Executor::Executor(std::shared_ptr<Pipeline> pipeline, ThreadPool* pool,
                   const kernels::KernelSet& kernels)
    : pipeline_(std::move(pipeline)),
      pool_(pool),
      kernels_(kernels),
      layers_(pipeline_.get(), pool, kernels),
      states_(static_cast<size_t>(MaxRows() * pipeline_->model().hidden_size) * sizeof(float)),
      shared_(NoCounts(*pipeline_)) {
  const auto most = static_cast<size_t>(MaxRows());
  head_states_.resize(most);
  active_.reserve(most);
  layer_rows_.reserve(most);
  read_tokens_.reserve(most);
}

Result<void> Executor::CheckHasLogits(const char* otherwise) const {
  if (head_->HasLogits()) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("head {}: it gives the best token and no logits: expected {}, or a head "
                          "like full:4",
                          pipeline_->Head().kind, otherwise));
}

Result<std::unique_ptr<Sequence>> Executor::NewSequence(SessionOptions options) {
  const int64_t context = pipeline_->manifest().ContextTokens();
  if (options.capacity_tokens < 1 || options.capacity_tokens > context) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("sequence: expected 1 to {} tokens (the model's context), found {}",
                            context, options.capacity_tokens));
  }
  HW_TRY_VOID(sampling::Validate(options.sampling, pipeline_->model().vocab_size));
  HW_TRY_VOID(CheckStorable(pipeline_.get(), options.kv));
  if (!IsPlainGreedy(options.sampling, options.want_logprobs)) {
    HW_TRY_VOID(
        CheckHasLogits("greedy decoding without penalties, biases, allow-lists and "
                       "log-probabilities"));
  }
  if (options.grammar != nullptr) HW_TRY_VOID(CheckHasLogits("decoding without a grammar"));
  layers_.Reserve(options.capacity_tokens);
  return std::make_unique<Sequence>(
      Sequence::Surroundings{.pipeline = pipeline_.get(),
                             .pool = pool_,
                             .kernels = &kernels_,
                             .max_step = layers_.MaxStep(),
                             .max_states = std::min(layers_.MaxStep(), head_->MaxStates())},
      std::move(options));
}

void Executor::FailRow(ActiveRow* active, const Error& error) {
  active->row->sequence->AbandonStep();
  active->row->choices = tl::unexpected<Error>(error);
  active->row = nullptr;
}

void Executor::Step(std::span<BatchRow> rows, std::span<ReadRow> reads) {
  BeginRows(rows);
  while (RunLayersOnce(reads)) reads = {};
  RunHead();
}

// Every row has room for one state; drafts share what is left.
void Executor::BeginRows(std::span<BatchRow> rows) {
  HW_CHECK(static_cast<int64_t>(rows.size()) <= MaxRows(), "a batch of at most MaxRows");
  active_.clear();
  int64_t num_states = 0;
  auto drafts_left = MaxRows() - static_cast<int64_t>(rows.size());
  for (BatchRow& row : rows) {
    Sequence& sequence = *row.sequence;
    const Result<bool> forced = sequence.BeginStep(row.drafts, drafts_left);
    row.choices = std::span<const Sequence::Choice>();
    if (!forced) {
      row.choices = tl::unexpected<Error>(forced.error());
    } else if (*forced) {
      row.choices = sequence.Choices();
    } else {
      const std::span<const float> hidden = sequence.Hidden();
      // Of a sequence whose layers ran with the prompt, there is nothing more to run.
      if (sequence.NumPending() == 0) std::copy(hidden.begin(), hidden.end(), StateAt(num_states));
      active_.push_back({.row = &row, .first_state = num_states});
      num_states += 1 + sequence.NumDrafts();
      drafts_left -= sequence.NumDrafts();
    }
  }
}

// One reading of the layers for as many pending tokens as it takes; false: there are none. Tokens
// from whose states others are chosen run together, in their row's last reading.
bool Executor::RunLayersOnce(std::span<ReadRow> reads) {
  layer_rows_.clear();
  int64_t room = layers_.MaxStep();
  Counters* counters = nullptr;
  for (ActiveRow& active : active_) {
    active.num_tokens = 0;
    if (active.row == nullptr) continue;
    Sequence& sequence = *active.row->sequence;
    const int64_t pending = sequence.NumPending();
    if (pending == 0) continue;
    if (const auto going_on = sequence.CheckCancelled(); !going_on) {
      FailRow(&active, going_on.error());
      continue;
    }
    const int64_t others = pending - 1 - sequence.NumDrafts();
    const int64_t count = pending <= room ? pending : std::min(room, others);
    if (count <= 0) continue;
    active.num_tokens = count;
    room -= count;
    layer_rows_.push_back({.cache = sequence.Cache(), .ids = sequence.Pending(count)});
    counters = layer_rows_.size() == 1 ? sequence.StepCounters() : &shared_;
  }
  const size_t num_decoding = layer_rows_.size();
  AddReads(reads, room);
  if (layer_rows_.empty()) return false;
  // What is read beside rows that decode is part of their step's time.
  if (counters == nullptr) counters = reads.front().sequence->Uncounted();
  if (const auto ran = layers_.Run(layer_rows_, counters); !ran) {
    if (counters == &shared_) ClearCounts(&shared_);
    FailLayers(ran.error(), reads);
    return true;
  }
  int64_t first_token = 0;
  for (ActiveRow& active : active_) {
    if (active.num_tokens == 0) continue;
    const auto count = active.num_tokens;
    if (counters == &shared_) AddShare(shared_, num_decoding, active.row->sequence->StepCounters());
    if (const auto done = Commit(active, first_token); !done) FailRow(&active, done.error());
    first_token += count;
  }
  if (counters == &shared_) ClearCounts(&shared_);
  EndReads(reads, first_token);
  return true;
}

// What failed is the device: every conversation of the reading has the same error. Their caches are
// as before, since nothing was committed.
void Executor::FailLayers(const Error& error, std::span<ReadRow> reads) {
  for (ActiveRow& active : active_) {
    if (active.num_tokens > 0) FailRow(&active, error);
  }
  for (size_t i = 0; i < reads.size(); ++i) {
    reads[i].outcome = {};
    if (read_tokens_[i] > 0) reads[i].outcome = tl::unexpected<Error>(error);
  }
}

void Executor::AddReads(std::span<ReadRow> reads, int64_t room) {
  HW_CHECK(reads.size() <= static_cast<size_t>(MaxRows()), "at most MaxRows() prompts a step");
  read_tokens_.clear();
  for (const ReadRow& read : reads) {
    const int64_t count = std::min({read.most_tokens, read.sequence->NumPending(), room});
    read_tokens_.push_back(count);
    if (count <= 0) continue;
    room -= count;
    layer_rows_.push_back({.cache = read.sequence->Cache(), .ids = read.sequence->Pending(count)});
  }
}

void Executor::EndReads(std::span<ReadRow> reads, int64_t first_token) {
  const int64_t D = pipeline_->model().hidden_size;
  for (size_t i = 0; i < reads.size(); ++i) {
    const int64_t count = read_tokens_[i];
    reads[i].outcome = {};
    if (count <= 0) continue;
    Sequence* const sequence = reads[i].sequence;
    const float* const states = layers_.Hidden() + first_token * D;
    reads[i].outcome = layers_.CheckFinite(first_token, count, sequence->Cache()->NumCached());
    first_token += count;
    if (!reads[i].outcome) continue;
    if (reads[i].states) reads[i].states(states, count);
    sequence->CommitTokens(count, states + (count - 1) * D);
  }
}

// Enters what a reading of the layers made of a row; the hidden states of drafts may be anything.
Result<void> Executor::Commit(const ActiveRow& active, int64_t first_token) {
  Sequence& sequence = *active.row->sequence;
  const int64_t D = pipeline_->model().hidden_size;
  const bool is_last = active.num_tokens == sequence.NumPending();
  const int64_t drafts = is_last ? sequence.NumDrafts() : 0;
  const int64_t sure = active.num_tokens - drafts;
  HW_TRY_VOID(layers_.CheckFinite(first_token, sure, sequence.Cache()->NumCached()));
  const float* const from = layers_.Hidden() + (first_token + sure - 1) * D;
  if (is_last) std::copy_n(from, (1 + drafts) * D, StateAt(active.first_state));
  sequence.CommitTokens(active.num_tokens, from);
  return {};
}

std::span<const HeadState> Executor::StatesOf(const ActiveRow& active) const {
  return std::span(head_states_)
      .subspan(static_cast<size_t>(active.first_state),
               static_cast<size_t>(1 + active.row->sequence->NumDrafts()));
}

void Executor::RunHead() {
  head_start_ns_ = NowNs();
  const auto failed = [](const ActiveRow& active) { return active.row == nullptr; };
  active_.erase(std::remove_if(active_.begin(), active_.end(), failed), active_.end());
  for (const ActiveRow& active : active_) {
    Sequence& sequence = *active.row->sequence;
    for (int64_t draft = 0; draft <= sequence.NumDrafts(); ++draft)
      head_states_[static_cast<size_t>(active.first_state + draft)] = sequence.StateOf(draft);
  }
  size_t end = 0;
  for (size_t begin = 0; begin < active_.size(); begin = end) {
    end = EndOfGroup(begin);
    RunHeadOn(std::span(active_).subspan(begin, end - begin));
  }
}

// The rows from `begin` on whose states can share a pass of the head.
size_t Executor::EndOfGroup(size_t begin) {
  size_t end = begin + 1;
  if (end == active_.size()) return end;
  int64_t most = head_->SharedStates(StatesOf(active_[begin]));
  for (; end < active_.size(); ++end) {
    const auto states = StatesOf(active_[end]);
    // Where a row has failed, states do not follow each other.
    const bool adjoins = StatesOf(active_[end - 1]).end() == states.begin();
    most = std::min(most, head_->SharedStates(states));
    const int64_t together =
        active_[end].first_state - active_[begin].first_state + static_cast<int64_t>(states.size());
    if (!adjoins || together > most) break;
  }
  return end;
}

void Executor::RunHeadOn(std::span<ActiveRow> group) {
  const int64_t first = group.front().first_state;
  const std::span<const HeadState> last = StatesOf(group.back());
  const bool is_shared = group.size() > 1;
  Counters* const counters = is_shared ? &shared_ : group.front().row->sequence->StepCounters();
  const uint32_t meetings = pool_->Meetings();
  head_->Begin({.hidden = StateAt(first), .states = {StatesOf(group.front()).begin(), last.end()}},
               counters);
  counters->head_meetings += pool_->Meetings() - meetings;
  for (ActiveRow& active : group) {
    if (is_shared) AddShare(shared_, group.size(), active.row->sequence->StepCounters());
    if (const auto chosen = ChooseFor(active, first); !chosen) FailRow(&active, chosen.error());
  }
  if (is_shared) ClearCounts(&shared_);
}

// Chooses position by position as long as drafts agree with the choices: one choice more than
// leading drafts that are right.
Result<void> Executor::ChooseFor(const ActiveRow& active, int64_t first_of_group) {
  Sequence& sequence = *active.row->sequence;
  const int64_t first = active.first_state - first_of_group;
  HW_TRY_VOID(head_->CheckState(first));
  for (int64_t draft = 0;; ++draft) {
    const uint32_t meetings = pool_->Meetings();
    HW_TRY(const auto choice,
           head_->Choose(first + draft, sequence.HistoryOf(draft), sequence.StepCounters()));
    sequence.StepCounters()->head_meetings += pool_->Meetings() - meetings;
    sequence.AddChoice(choice, head_->LastCertificate());
    // A state that is not finite is left to the next step, which finds it again and reports it.
    if (sequence.IsRight(draft, choice.token) && head_->IsUsable(first + draft + 1)) continue;
    sequence.EndStep(StateAt(active.first_state + draft), head_start_ns_);
    active.row->choices = sequence.Choices();
    return {};
  }
}

Result<void> Executor::Read(Sequence* sequence, int64_t length, const LogitsSink* logits_or_null,
                            const StatesSink* states_or_null) {
  const int64_t most =
      logits_or_null == nullptr ? layers_.MaxStep() : std::min(layers_.MaxStep(), kLogitsStates);
  const int64_t D = pipeline_->model().hidden_size;
  sequence->BeginReading(length, "prefill");
  while (sequence->NumPending() > 0) {
    HW_TRY_VOID(sequence->CheckCancelled());
    const int64_t count = std::min(most, sequence->NumPending());
    const int64_t first = sequence->Cache()->NumCached();
    const LayerRow row{.cache = sequence->Cache(), .ids = sequence->Pending(count)};
    HW_TRY_VOID(layers_.Run({&row, 1}, sequence->Uncounted()));
    HW_TRY_VOID(layers_.CheckFinite(0, count, first));
    sequence->CommitTokens(count, layers_.Hidden() + (count - 1) * D);
    const std::span<const float> states(layers_.Hidden(), static_cast<size_t>(count * D));
    if (states_or_null != nullptr) (*states_or_null)(first, states);
    if (logits_or_null != nullptr) HW_TRY_VOID(LogitsOf(states, first, sequence, *logits_or_null));
  }
  return {};
}

Result<void> Executor::LogitsOf(std::span<const float> states, int64_t first_position,
                                Sequence* sequence, const LogitsSink& sink) {
  const int64_t D = pipeline_->model().hidden_size;
  const auto V = static_cast<size_t>(pipeline_->model().vocab_size);
  const int64_t num_states = static_cast<int64_t>(states.size()) / D;
  for (int64_t first = 0; first < num_states; first += kLogitsStates) {
    const int64_t count = std::min(kLogitsStates, num_states - first);
    const int64_t position = first_position + first;
    HW_TRY(const std::span<float> logits,
           head_->Logits(states.data() + first * D, count, position, sequence->Uncounted()));
    for (int64_t t = 0; t < count; ++t)
      sink(position + t, logits.subspan(static_cast<size_t>(t) * V, V));
  }
  return {};
}

Result<std::span<const float>> Executor::Logits(Sequence* sequence) {
  HW_TRY(const std::span<float> logits,
         head_->Logits(sequence->Hidden().data(), 1, sequence->Cache()->NumCached() - 1,
                       sequence->Uncounted()));
  return std::span<const float>(logits);
}

}  // namespace headway
