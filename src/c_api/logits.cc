// What a sequence's next token is chosen from: logits, the most likely tokens, hidden states.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "c_api/calls.h"
#include "c_api/handles.h"
#include "engine/top_logprobs.h"

namespace headway::c_api {
namespace {

// The logits from which the last choice came, or those after the last token read.
Result<std::span<const float>> LastLogits(headway_sequence* handle) {
  Executor& executor = *handle->shared->model->executor;
  HW_TRY_VOID(executor.CheckHasLogits("no logits"));
  if (handle->sequence->Hidden().empty())
    return Fail(ErrorCode::kInvalidInput, "sequence: expected tokens that were read, found none");
  return executor.Logits(handle->sequence.get());
}

struct Alternatives {
  std::vector<TokenLogprob> best;
  float chosen = 0.0F;
};

Result<Alternatives> FindAlternatives(headway_sequence* handle, bool after_sampling,
                                      size_t capacity) {
  if (handle->may_force) {
    return Fail(ErrorCode::kInvalidInput,
                "alternatives: expected want_logprobs beside a grammar, whose only token is taken "
                "without logits otherwise");
  }
  const auto choices = handle->sequence->Choices();
  if (choices.size() != 1) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("alternatives: expected a last step that chose one token, found {}",
                            choices.size()));
  }
  HW_TRY(const auto logits, LastLogits(handle));
  const auto most = static_cast<int64_t>(std::min(capacity, logits.size()));
  if (!after_sampling) {
    Alternatives found{.best = TopLogprobs(logits, most), .chosen = 0.0F};
    const TokenLogprob& first = found.best.front();
    found.chosen = first.logprob + (logits[static_cast<size_t>(choices.front().token)] -
                                    logits[static_cast<size_t>(first.id)]);
    return found;
  }
  const auto drawn_from = handle->sequence->DrawnFrom(logits, most);
  Alternatives found{.best = {}, .chosen = static_cast<float>(std::log(drawn_from.chosen))};
  for (const auto& [id, probability] : drawn_from.best)
    found.best.push_back({.id = id, .logprob = static_cast<float>(std::log(probability))});
  return found;
}

}  // namespace
}  // namespace headway::c_api

using headway::ErrorCode;
using headway::Fail;
using headway::Result;
using namespace headway::c_api;  // NOLINT(google-build-using-namespace): this file is its C face

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

headway_status headway_sequence_last_logits(headway_sequence* sequence, const float** logits,
                                            size_t* count) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY_VOID(CheckGiven(logits, "logits' place"));
    HW_TRY_VOID(CheckGiven(count, "count"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    HW_TRY(const std::span<const float> found, LastLogits(sequence));
    *logits = found.data();
    *count = found.size();
    return HEADWAY_OK;
  });
}

headway_status headway_sequence_alternatives(headway_sequence* sequence, int32_t after_sampling,
                                             int32_t* ids, float* logprobs, size_t capacity,
                                             size_t* count, float* chosen) {
  return Call([&]() -> Result<headway_status> {
    HW_TRY_VOID(CheckGiven(sequence, "sequence"));
    HW_TRY_VOID(CheckGiven(count, "count"));
    if (capacity == 0)
      return Fail(ErrorCode::kInvalidInput, "alternatives: expected room for at least one");
    HW_TRY_VOID(CheckGiven(ids, "ids' place"));
    HW_TRY_VOID(CheckGiven(logprobs, "logprobs' place"));
    HW_TRY(const auto lock, LockModel(*sequence->shared));
    HW_TRY(const Alternatives found, FindAlternatives(sequence, after_sampling != 0, capacity));
    for (size_t i = 0; i < found.best.size(); ++i) {
      ids[i] = found.best[i].id;
      logprobs[i] = found.best[i].logprob;
    }
    *count = found.best.size();
    if (chosen != nullptr) *chosen = found.chosen;
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
