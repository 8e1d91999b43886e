// Steps of many sequences, and what comes of them.

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "c_api/calls.h"
#include "c_api/handles.h"

namespace headway::c_api {
namespace {

// Tokens of a step where sequences guess: more cost more than guesses save (as the scheduler's).
constexpr int64_t kTokensWithGuesses = 16;

struct StepRows {
  std::vector<headway_row*> rows;  // in the caller's memory
  std::vector<BatchRow> choosing;
  std::vector<headway_row*> of_choosing;
  std::vector<ReadRow> reading;
  std::vector<headway_row*> of_reading;
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
  return {};
}

Result<void> CheckDistinct(std::span<headway_row* const> rows) {
  std::vector<const headway_sequence*> sequences;
  sequences.reserve(rows.size());
  for (const headway_row* row : rows) sequences.push_back(row->sequence);
  std::sort(sequences.begin(), sequences.end());
  if (std::adjacent_find(sequences.begin(), sequences.end()) == sequences.end()) return {};
  return Fail(ErrorCode::kInvalidInput, "rows: expected each sequence once, found one twice");
}

// The rows, which lie as far apart as the first one's size says, checked.
Result<std::vector<headway_row*>> FindRows(headway_row* rows, size_t num_rows,
                                           const SharedModel& shared) {
  const auto most = static_cast<size_t>(2 * shared.model->executor->MaxRows());
  if (num_rows < 1 || num_rows > most) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("rows: expected 1 to {}, found {}", most, num_rows));
  }
  HW_TRY_VOID(CheckGiven(rows, "rows"));
  const size_t stride = rows->size;
  HW_TRY_VOID(CheckStruct(nullptr, stride, sizeof(headway_row), sizeof(headway_row), "row"));
  if (stride % alignof(headway_row) != 0) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("row: size: expected a multiple of {}, found {}", alignof(headway_row),
                            stride));
  }
  std::vector<headway_row*> found;
  found.reserve(num_rows);
  auto* const bytes = reinterpret_cast<std::byte*>(rows);
  for (size_t i = 0; i < num_rows; ++i) {
    auto* const row = reinterpret_cast<headway_row*>(bytes + i * stride);
    HW_TRY_VOID(CheckStruct(row, row->size, sizeof(headway_row), sizeof(headway_row), "row"));
    if (row->size != stride) {
      return Fail(
          ErrorCode::kInvalidInput,
          fmt::format("row {}: size: expected {} as of the first, found {}", i, stride, row->size));
    }
    HW_TRY_VOID(CheckRow(*row, &shared));
    found.push_back(row);
  }
  HW_TRY_VOID(CheckDistinct(found));
  return found;
}

Result<StepRows> SortRows(std::vector<headway_row*> found, int64_t most) {
  StepRows step;
  step.rows = std::move(found);
  const auto chooses = [](const headway_row* row) { return row->read_tokens == 0; };
  const auto num_choosing = std::count_if(step.rows.begin(), step.rows.end(), chooses);
  const auto num_reading = static_cast<int64_t>(step.rows.size()) - num_choosing;
  if (num_choosing > most || num_reading > most) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("rows: expected at most {} that choose and as many that read, found "
                            "{} and {}",
                            most, num_choosing, num_reading));
  }
  for (headway_row* row : step.rows) {
    headway_sequence* const handle = row->sequence;
    Sequence& sequence = *handle->sequence;
    if (!chooses(row)) {
      sequence.BeginReading(sequence.Length(), "prefill");
      step.reading.push_back(
          {.sequence = &sequence, .most_tokens = row->read_tokens, .states = nullptr});
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

// Enters a row's outcome; the first error stays in *first_error.
template <class T>
void EndRow(const Result<T>& outcome, headway_row* row, Result<headway_status>* first_error) {
  row->status = outcome ? HEADWAY_OK : StatusOf(outcome.error().code);
  row->num_choices = 0;
  if (outcome) return;
  row->sequence->error_text = outcome.error().message;
  if (*first_error) *first_error = tl::unexpected<Error>(outcome.error());
}

Result<headway_status> RunStep(const SharedModel& shared, StepRows* step) {
  std::vector<int64_t> pending;
  for (const ReadRow& read : step->reading) pending.push_back(read.sequence->NumPending());
  const uint64_t start = NowNs();
  shared.model->executor->Step(step->choosing, step->reading);
  const uint64_t took = NowNs() - start;
  Result<headway_status> done = HEADWAY_OK;
  for (size_t i = 0; i < step->choosing.size(); ++i) {
    headway_row* const row = step->of_choosing[i];
    EndRow(step->choosing[i].choices, row, &done);
    if (row->status != HEADWAY_OK) continue;
    const Sequence& sequence = *row->sequence->sequence;
    const auto count = static_cast<int64_t>(sequence.Choices().size());
    row->num_choices = static_cast<int32_t>(count);
    if (row->sequence->drafts != nullptr)
      row->sequence->drafts->Saw(sequence.Tokens(), std::max(sequence.NumDrafts(), count - 1),
                                 count);
  }
  for (size_t i = 0; i < step->reading.size(); ++i) {
    headway_row* const row = step->of_reading[i];
    EndRow(step->reading[i].outcome, row, &done);
    const int64_t count = pending[i] - step->reading[i].sequence->NumPending();
    if (row->status == HEADWAY_OK && count > 0)
      row->sequence->sequence->CountPrefill(took, static_cast<size_t>(count));
  }
  return done;
}

Result<void> CheckIndex(size_t index, size_t count, const char* what) {
  if (index < count) return {};
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("{} {}: expected one of the {} there are", what, index, count));
}

}  // namespace
}  // namespace headway::c_api

using headway::ErrorCode;
using headway::Fail;
using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

headway_status headway_step(headway_engine* engine, headway_row* rows, size_t num_rows) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY(const auto shared, ModelOf(engine));
    HW_TRY(const auto lock, LockModel(*shared));
    HW_TRY(auto found, FindRows(rows, num_rows, *shared));
    HW_TRY(StepRows step, SortRows(std::move(found), shared->model->executor->MaxRows()));
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

headway_status headway_sequence_logits(headway_sequence* sequence, const float** logits,
                                       size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY_VOID(CheckGiven(logits, "logits' place"));
    HW_TRY_VOID(CheckGiven(count, "count"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    headway::Sequence& own = *sequence->sequence;
    headway::Executor& executor = *sequence->shared->model->executor;
    HW_TRY_VOID(executor.CheckHasLogits("no logits"));
    if (own.Length() == 0)
      return Fail(ErrorCode::kInvalidInput, "sequence: expected at least one token, found none");
    HW_TRY_VOID(executor.Read(&own, own.Length(), nullptr));
    HW_TRY(const std::span<const float> found, executor.Logits(&own));
    *logits = found.data();
    *count = found.size();
    return HEADWAY_OK;
  });
}

headway_status headway_sequence_hidden(const headway_sequence* sequence, const float** hidden,
                                       size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY_VOID(CheckGiven(hidden, "hidden state's place"));
    HW_TRY_VOID(CheckGiven(count, "count"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    const std::span<const float> found = sequence->sequence->Hidden();
    if (found.empty())
      return Fail(ErrorCode::kInvalidInput, "sequence: expected tokens that were read, found none");
    *hidden = found.data();
    *count = found.size();
    return HEADWAY_OK;
  });
}
