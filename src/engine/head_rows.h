#pragma once

// The shards of a head as a search sees them (lmhead/search.h): what they multiply, exact rows
// strip by strip, and signs where a device multiplies those.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "device/capabilities.h"
#include "engine/pipeline.h"
#include "lmhead/device_signs.h"
#include "lmhead/exact_rows.h"

namespace headway {

// What the rows are multiplied with, for every state of a step.
class ProductInputs {
 public:
  // Of up to `max_states` states. `pipeline` must outlive this object.
  ProductInputs(Pipeline* pipeline, int64_t max_states);

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

  Pipeline* const pipeline_;
  std::unique_ptr<ShardWorkspace> workspace_;
  std::vector<State> states_;
  AlignedBuffer multiplied_;
};

// Rows in the full head's own arithmetic.
class HeadRows final : public lmhead::ExactRows {
 public:
  // Both must outlive this object.
  HeadRows(Pipeline* pipeline, const ProductInputs* inputs);

  int64_t StripOf(int64_t row) const override { return row / kRowBlock; }
  int64_t StripBytes() const override { return full_bytes_ * kRowBlock / num_rows_; }
  int64_t FullBytes() const override { return full_bytes_; }
  void Compute(int64_t strip, int64_t state, float* logits) noexcept override;

 private:
  const LoadedHead& head_;
  const ProductInputs& inputs_;
  const int64_t num_rows_;
  int64_t full_bytes_ = 0;
};

// The signs of all shards' rows, multiplied by the device.
class HeadSigns final : public lmhead::DeviceSigns {
 public:
  // `pipeline` must outlive this object.
  explicit HeadSigns(Pipeline* pipeline);

  // False: the shards are no programs for signs, the host multiplies them.
  static bool Exist(const LoadedHead& head) { return head.shards.front()->Screen() != nullptr; }

  void Estimate(const float* rotated, int64_t num_states, float* estimates) noexcept override;
  int64_t Bytes() const override;

 private:
  const LoadedHead& head_;
  const int64_t num_rows_;
};

}  // namespace headway
