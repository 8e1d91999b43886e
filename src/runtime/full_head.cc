#include "runtime/full_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace headway {

FullHead::FullHead(Pipeline* pipeline, const kernels::KernelSet& kernels,
                   sampling::Sampler* sampler, int64_t max_states)
    : pipeline_(pipeline),
      kernels_(kernels),
      sampler_(sampler),
      projection_(pipeline, max_states) {}

// Where all masks of the step allow few tokens, only their rows are computed; log-probabilities
// need all rows.
void FullHead::ChooseRows() {
  needed_ids_.clear();
  if (step_.masks.empty() || step_.want_logprobs) return;
  for (const grammar::TokenMask* mask : step_.masks) {
    if (mask->count > grammar::TokenMask::kFew) {
      needed_ids_.clear();
      return;
    }
    needed_ids_.insert(needed_ids_.end(), mask->few.begin(), mask->few.end());
  }
  std::sort(needed_ids_.begin(), needed_ids_.end());
  needed_ids_.erase(std::unique(needed_ids_.begin(), needed_ids_.end()), needed_ids_.end());
  // Blocks here and there read slower than the whole in order.
  if (2 * projection_.RowsFor(needed_ids_) > pipeline_->model().vocab_size) needed_ids_.clear();
}

int64_t FullHead::RowsFor(const HeadStep& step) {
  step_ = step;
  ChooseRows();
  return needed_ids_.empty() ? pipeline_->model().vocab_size : projection_.RowsFor(needed_ids_);
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

Result<void> FullHead::CheckFinite(int64_t state) const {
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
                          projection_.TokenOf(state, found), step_.first_position - 1 + state));
}

Result<void> FullHead::Begin(const HeadStep& step, Counters* counters) {
  step_ = step;
  ChooseRows();
  logits_ = needed_ids_.empty()
                ? projection_.Project(step.hidden, step.num_states, step.scratch, counters)
                : projection_.ProjectFew(step.hidden, step.num_states, needed_ids_, step.scratch,
                                         counters);
  return CheckFinite(0);
}

bool FullHead::IsUsable(int64_t state) const {
  const int64_t D = pipeline_->model().hidden_size;
  return kernels_.all_finite(step_.hidden + state * D, D) && LogitsAreFinite(state);
}

Result<sampling::Sampler::Choice> FullHead::Choose(int64_t state, std::span<const int32_t> history,
                                                   Counters* counters) {
  const auto mask = step_.masks.empty()
                        ? std::span<const uint64_t>()
                        : std::span<const uint64_t>(step_.masks[static_cast<size_t>(state)]->bits);
  return projection_.Select(Row(state), sampler_,
                            static_cast<uint64_t>(step_.first_position + state), history,
                            step_.want_logprobs, mask, counters);
}

Result<std::span<float>> FullHead::Logits(const HeadStep& step, Counters* counters) {
  HW_TRY_VOID(Begin({.hidden = step.hidden,
                     .num_states = step.num_states,
                     .first_position = step.first_position,
                     .want_logprobs = false,
                     .scratch = step.scratch,
                     .masks = {}},
                    counters));
  for (int64_t state = 1; state < step.num_states; ++state) HW_TRY_VOID(CheckFinite(state));
  return logits_;
}

}  // namespace headway
