#pragma once

// The shards of a head as a search sees them (lmhead/search.h): what they multiply, exact rows
// strip by strip, signs where a device multiplies those, and the rows computed before any other.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "device/capabilities.h"
#include "device/loaded_head_shard.h"
#include "engine/head.h"
#include "engine/pipeline.h"
#include "headway/counters.h"
#include "lmhead/candidates.h"
#include "lmhead/device_signs.h"

namespace headway {

// What the rows are multiplied with, for every state of a step.
class ProductInputs {
 public:
  // Of up to `max_states` states of `channels` numbers. `head` must outlive this object.
  ProductInputs(const LoadedHead* head, int64_t channels, int64_t max_states);

  // Runs everything before the last product for states [num_states, D].
  void Compute(const float* hidden, int64_t num_states);

  int64_t MaxStates() const { return static_cast<int64_t>(states_.size()); }
  // In the device's own form, and as numbers [num_states, D].
  const ProductInput& Of(int64_t state) const { return states_[static_cast<size_t>(state)].input; }
  const float* Multiplied() const { return multiplied_.Pointer<float>(); }

 private:
  struct State {
    AlignedBuffer scratch;
    ProductInput input;
  };

  const LoadedHead& head_;
  const int64_t channels_;
  std::unique_ptr<ShardWorkspace> workspace_;
  std::vector<State> states_;
  AlignedBuffer multiplied_;
};

// Rows in the full head's own arithmetic, of all its shards or of those that `head` has.
class HeadRows final : public lmhead::ExactRows {
 public:
  // Both must outlive this object.
  HeadRows(const LoadedHead* head, const ProductInputs* inputs);

  int64_t StripOf(int64_t row) const override { return row / kRowBlock; }
  int64_t StripBytes() const override { return full_bytes_ * kRowBlock / num_rows_; }
  int64_t FullBytes() const override { return full_bytes_; }
  void Compute(int64_t strip, int64_t state, float* logits) noexcept override;

 private:
  const LoadedHead& head_;
  const ProductInputs& inputs_;
  int64_t num_rows_ = 0;
  int64_t full_bytes_ = 0;
};

// The signs of all shards' rows, multiplied by the device.
class HeadSigns final : public lmhead::DeviceSigns {
 public:
  // Of a vocabulary of `num_rows`. `head` must outlive this object.
  HeadSigns(const LoadedHead* head, int64_t num_rows) : head_(*head), num_rows_(num_rows) {}

  // What came of Estimate() since ClearOutcome(). Errors: those of LoadedShard::Run().
  const Result<void>& Outcome() const { return outcome_; }
  void ClearOutcome() { outcome_ = {}; }

  // False: the shards are no programs for signs, the host multiplies them.
  static bool Exist(const LoadedHead& head) { return head.shards.front()->Screen() != nullptr; }

  void Estimate(const float* rotated, int64_t num_states, float* estimates) noexcept override;
  int64_t Bytes() const override;

 private:
  const LoadedHead& head_;
  const int64_t num_rows_;
  Result<void> outcome_;
};

// The rows that a reduced head computes before it looks at any other: a shard of their own.
class ReducedRows {
 public:
  // Of up to `max_states` states. `pipeline` must outlive this object; other heads than reduced
  // ones have no such rows.
  ReducedRows(Pipeline* pipeline, int64_t max_states);

  bool Exist() const { return shard_ != nullptr; }

  // Computes them for all states of `step`; nothing where there are none. Errors: those of
  // LoadedShard::Run().
  Result<void> Compute(const HeadStep& step, Counters* counters);

  // Ascending, and their logits of the last step.
  std::span<const int32_t> Ids() const { return ids_; }
  std::span<const float> Logits(int64_t state) const {
    return {logits_.Pointer<float>() + static_cast<size_t>(state) * ids_.size(), ids_.size()};
  }

 private:
  LoadedHeadShard* const shard_;  // null: none
  const std::span<const int32_t> ids_;
  std::unique_ptr<ShardWorkspace> workspace_;
  AlignedBuffer scratch_;
  AlignedBuffer logits_;  // [max_states, ids]
};

}  // namespace headway
