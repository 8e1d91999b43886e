#include "engine/full_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace headway {

FullHead::FullHead(Pipeline* pipeline, const kernels::KernelSet& kernels, int64_t max_states)
    : pipeline_(pipeline), kernels_(kernels), projection_(pipeline, max_states) {}

// Where all masks of the pass allow few tokens, only their rows are computed; log-probabilities
// need all rows.
void FullHead::ChooseRows(std::span<const HeadState> states) {
  needed_ids_.clear();
  for (const HeadState& state : states) {
    if (state.mask == nullptr || state.mask->count > grammar::TokenMask::kFew ||
        state.rules->want_logprobs) {
      needed_ids_.clear();
      return;
    }
    needed_ids_.insert(needed_ids_.end(), state.mask->few.begin(), state.mask->few.end());
  }
  std::sort(needed_ids_.begin(), needed_ids_.end());
  needed_ids_.erase(std::unique(needed_ids_.begin(), needed_ids_.end()), needed_ids_.end());
  // Blocks here and there read slower than the whole in order.
  if (2 * projection_.RowsFor(needed_ids_) > pipeline_->model().vocab_size) needed_ids_.clear();
}

int64_t FullHead::RowsFor(std::span<const HeadState> states) {
  ChooseRows(states);
  return needed_ids_.empty() ? pipeline_->model().vocab_size : projection_.RowsFor(needed_ids_);
}

int64_t FullHead::SharedStates(std::span<const HeadState> states) {
  ChooseRows(states);
  return needed_ids_.empty() ? MaxStates() : 0;
}

std::span<float> FullHead::Row(int64_t state) const {
  const auto size = static_cast<size_t>(projection_.RowSize());
  return logits_.subspan(static_cast<size_t>(state) * size, size);
}

bool FullHead::LogitsAreFinite(int64_t state) const {
  const std::span<const float> row = Row(state);
  if (needed_ids_.empty()) return kernels_.all_finite(row.data(), static_cast<int64_t>(row.size()));
  return std::all_of(needed_ids_.begin(), needed_ids_.end(),
                     [row](int32_t id) { return std::isfinite(row[static_cast<size_t>(id)]); });
}

Result<void> FullHead::CheckFinite(int64_t state, int64_t position) const {
  if (LogitsAreFinite(state)) return {};
  const std::span<const float> row = Row(state);
  const auto is_wrong = [&](int32_t id) { return !std::isfinite(row[static_cast<size_t>(id)]); };
  int32_t found = 0;
  if (needed_ids_.empty()) {
    while (!is_wrong(found)) ++found;
  } else {
    found = *std::find_if(needed_ids_.begin(), needed_ids_.end(), is_wrong);
  }
  return Fail(ErrorCode::kCorrupt,
              fmt::format("head {}: expected finite logits, found {} for token {} at position {}: "
                          "the weights of the head overflow in this model file",
                          pipeline_->Head().kind, row[static_cast<size_t>(found)],
                          projection_.TokenOf(state, found), position));
}

void FullHead::Begin(const HeadStep& step, Counters* counters) {
  step_ = step;
  ChooseRows(step.states);
  logits_ = needed_ids_.empty()
                ? projection_.Project(step.hidden, step.NumStates(), counters)
                : projection_.ProjectFew(step.hidden, step.NumStates(), needed_ids_, counters);
}

Result<void> FullHead::CheckState(int64_t state) const {
  return CheckFinite(state, step_.states[static_cast<size_t>(state)].position - 1);
}

bool FullHead::IsUsable(int64_t state) const {
  const int64_t D = pipeline_->model().hidden_size;
  return kernels_.all_finite(step_.hidden + state * D, D) && LogitsAreFinite(state);
}

Result<sampling::Sampler::Choice> FullHead::Choose(int64_t state, std::span<const int32_t> history,
                                                   Counters* counters) {
  const HeadState& at = step_.states[static_cast<size_t>(state)];
  const auto mask =
      at.mask == nullptr ? std::span<const uint64_t>() : std::span<const uint64_t>(at.mask->bits);
  return projection_.Select(Row(state), &at.rules->sampler, static_cast<uint64_t>(at.position),
                            history, at.rules->want_logprobs, mask, counters);
}

Result<std::span<float>> FullHead::Logits(const float* hidden, int64_t num_states,
                                          int64_t first_position, Counters* counters) {
  needed_ids_.clear();
  logits_ = projection_.Project(hidden, num_states, counters);
  for (int64_t state = 0; state < num_states; ++state)
    HW_TRY_VOID(CheckFinite(state, first_position + state));
  return logits_;
}

}  // namespace headway
