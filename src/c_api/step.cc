// Steps of many sequences, and what comes of them.

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "c_api/calls.h"
#include "c_api/handles.h"

namespace headway::c_api {
namespace {

// Tokens of a step where sequences guess: more cost more than guesses save (as the scheduler's).
constexpr int64_t kTokensWithGuesses = 16;

// A row as this version knows it, and where the caller's lies, which may be shorter or longer.
struct GivenRow {
  headway_row row;
  headway_row* at;
};

struct StepRows {
  std::vector<GivenRow> rows;
  std::vector<BatchRow> choosing;
  std::vector<headway_row*> of_choosing;  // in `rows`
  std::vector<ReadRow> reading;
  std::vector<headway_row*> of_reading;      // in `rows`
  Result<headway_status> done = HEADWAY_OK;  // the first row's error
};

Result<void> CheckRow(const headway_row& row, const SharedModel* shared) {
  HW_TRY_VOID(CheckGiven(row.sequence, "row: sequence"));
  if (row.sequence->shared.get() != shared)
    return Fail(ErrorCode::kInvalidInput, "row: expected a sequence of this engine");
  HW_TRY_VOID(ReadIds(row.drafts, row.num_drafts, "row: drafts"));
  if (row.read_tokens < 0 || (row.read_tokens > 0 && row.num_drafts > 0)) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("row: expected 0 or more tokens to read, and drafts where none is, "
                            "found {} and {} drafts",
                            row.read_tokens, row.num_drafts));
  }
  if (row.sink == nullptr) return {};
  HW_TRY(const headway_sink sink, ReadStruct(row.sink, "row: sink"));
  if (row.read_tokens == 0 || sink.hidden == nullptr || sink.logits != nullptr) {
    return Fail(ErrorCode::kInvalidInput,
                "row: sink: expected one of a row that reads, for states alone");
  }
  return {};
}

Result<void> CheckDistinct(std::span<const GivenRow> rows) {
  std::vector<const headway_sequence*> sequences;
  sequences.reserve(rows.size());
  for (const GivenRow& given : rows) sequences.push_back(given.row.sequence);
  std::sort(sequences.begin(), sequences.end());
  if (std::adjacent_find(sequences.begin(), sequences.end()) == sequences.end()) return {};
  return Fail(ErrorCode::kInvalidInput, "rows: expected each sequence once, found one twice");
}

// The rows, which lie as far apart as the first one's size says, checked.
Result<std::vector<GivenRow>> FindRows(headway_row* rows, size_t num_rows,
                                       const SharedModel& shared) {
  const auto most = static_cast<size_t>(2 * shared.model->executor->MaxRows());
  if (num_rows < 1 || num_rows > most) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("rows: expected 1 to {}, found {}", most, num_rows));
  }
  HW_TRY_VOID(CheckGiven(rows, "rows"));
  const size_t stride = rows->size;
  HW_TRY_VOID(CheckSize(stride, Known<headway_row>("row")));
  std::vector<GivenRow> found;
  found.reserve(num_rows);
  auto* const bytes = reinterpret_cast<std::byte*>(rows);
  for (size_t i = 0; i < num_rows; ++i) {
    auto* const at = reinterpret_cast<headway_row*>(bytes + i * stride);
    if (at->size != stride) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("row {}: size: expected {} as of the first, found {}", i, stride, at->size));
    }
    HW_TRY(const headway_row row, ReadStruct<headway_row>(at, "row"));
    HW_TRY_VOID(CheckRow(row, &shared));
    found.push_back({.row = row, .at = at});
  }
  HW_TRY_VOID(CheckDistinct(found));
  return found;
}

// Enters a row's outcome; the first error stays in *first_error.
template <class T>
void EndRow(const Result<T>& outcome, headway_row* row, Result<headway_status>* first_error) {
  row->status = outcome ? HEADWAY_OK : StatusOf(outcome.error().code);
  row->num_choices = 0;
  if (outcome) return;
  row->sequence->error_text = outcome.error().message;
  if (*first_error) *first_error = tl::unexpected<Error>(outcome.error());
}

// Tells a row's sink, if it has one, the states of what is read.
std::function<void(const float*, int64_t)> StatesOf(const headway_row& row, size_t D) {
  if (row.sink == nullptr) return nullptr;
  return [user = row.sink->user, hidden = row.sink->hidden, D,
          position = row.sequence->sequence->NumCached()](const float* states, int64_t count) {
    const CallbackMark mark;
    hidden(user, position, states, static_cast<size_t>(count), D);
  };
}

Result<StepRows> SortRows(std::vector<GivenRow> found, const SharedModel& shared) {
  const int64_t most = shared.model->executor->MaxRows();
  const auto D = static_cast<size_t>(shared.model->pipeline->model().hidden_size);
  StepRows step;
  step.rows = std::move(found);
  const auto chooses = [](const GivenRow& given) { return given.row.read_tokens == 0; };
  const auto num_choosing = std::count_if(step.rows.begin(), step.rows.end(), chooses);
  const auto num_reading = static_cast<int64_t>(step.rows.size()) - num_choosing;
  if (num_choosing > most || num_reading > most) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("rows: expected at most {} that choose and as many that read, found "
                            "{} and {}",
                            most, num_choosing, num_reading));
  }
  for (GivenRow& given : step.rows) {
    headway_row* const row = &given.row;
    headway_sequence* const handle = row->sequence;
    Sequence& sequence = *handle->sequence;
    if (!chooses(given)) {
      if (const auto going_on = sequence.CheckCancelled(); !going_on) {
        EndRow(going_on, row, &step.done);
        continue;
      }
      sequence.BeginReading(sequence.Length(), "prefill");
      step.reading.push_back(
          {.sequence = &sequence, .most_tokens = row->read_tokens, .states = StatesOf(*row, D)});
      step.of_reading.push_back(row);
      continue;
    }
    std::span<const int32_t> drafts(row->drafts, row->num_drafts);
    if (row->drafts == nullptr && handle->drafts != nullptr) {
      const int64_t room = std::min(kTokensWithGuesses / num_choosing - 1,
                                    sequence.Capacity() - sequence.Length() - 1);
      drafts = handle->drafts->Propose(sequence.Tokens(), room);
    }
    BatchRow batch_row{.sequence = &sequence, .drafts = drafts};
    step.choosing.push_back(std::move(batch_row));
    step.of_choosing.push_back(row);
  }
  return step;
}

// The probe sees the `count` tokens that a step chose, one by one.
Result<void> Follow(const headway_sequence& handle, size_t count) {
  if (handle.probe == nullptr) return {};
  const auto tokens = handle.sequence->Tokens();
  for (size_t left = count; left > 0; --left)
    HW_TRY_VOID(handle.probe->Follow(tokens.first(tokens.size() - left + 1)));
  return {};
}

Result<headway_status> RunStep(const SharedModel& shared, StepRows* step) {
  std::vector<int64_t> pending;
  for (const ReadRow& read : step->reading) pending.push_back(read.sequence->NumPending());
  const uint64_t start = NowNs();
  if (!step->choosing.empty() || !step->reading.empty())
    shared.model->executor->Step(step->choosing, step->reading);
  const uint64_t took = NowNs() - start;
  for (size_t i = 0; i < step->choosing.size(); ++i) {
    headway_row* const row = step->of_choosing[i];
    EndRow(step->choosing[i].choices, row, &step->done);
    if (row->status != HEADWAY_OK) continue;
    const Sequence& sequence = *row->sequence->sequence;
    const auto count = static_cast<int64_t>(sequence.Choices().size());
    row->num_choices = static_cast<int32_t>(count);
    if (row->sequence->drafts != nullptr)
      row->sequence->drafts->Saw(sequence.Tokens(), std::max(sequence.NumDrafts(), count - 1),
                                 count);
    HW_TRY_VOID(Follow(*row->sequence, static_cast<size_t>(count)));  // lookup never fails
  }
  for (size_t i = 0; i < step->reading.size(); ++i) {
    headway_row* const row = step->of_reading[i];
    EndRow(step->reading[i].outcome, row, &step->done);
    const int64_t count = pending[i] - step->reading[i].sequence->NumPending();
    if (row->status == HEADWAY_OK && count > 0)
      row->sequence->sequence->CountPrefill(took, static_cast<size_t>(count));
  }
  for (const GivenRow& given : step->rows) HW_TRY_VOID(WriteStruct(given.row, given.at, "row"));
  return step->done;
}

Result<void> CheckIndex(size_t index, size_t count, const char* what) {
  if (index < count) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{} {}: expected one of the {} there are", what, index, count));
}

}  // namespace
}  // namespace headway::c_api

using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_step(headway_engine* engine, headway_row* rows, size_t num_rows) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY(const auto lock, LockModel(*shared));
    HW_TRY(auto found, FindRows(rows, num_rows, *shared));
    HW_TRY(StepRows step, SortRows(std::move(found), *shared));
    return RunStep(*shared, &step);
  });
}

const char* headway_sequence_error_text(const headway_sequence* sequence) {
  return sequence == nullptr ? nullptr : sequence->error_text.c_str();
}

headway_status headway_sequence_choice(const headway_sequence* sequence, size_t index,
                                       headway_choice* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    const auto choices = sequence->sequence->Choices();
    HW_TRY_VOID(CheckIndex(index, choices.size(), "choice"));
    headway_choice choice{};
    choice.token = choices[index].token;
    choice.logit = choices[index].logit;
    choice.logprob = choices[index].logprob;
    return WriteStruct(choice, out, "choice");
  });
}

headway_status headway_sequence_certificate(const headway_sequence* sequence, size_t index,
                                            headway_certificate* out) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    const auto certificates = sequence->sequence->Certificates();
    HW_TRY_VOID(CheckIndex(index, certificates.size(), "certificate"));
    return WriteStruct(CertificateOf(certificates[index]), out, "certificate");
  });
}
