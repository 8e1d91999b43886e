#pragma once

// The head that computes the logits of all rows, or of all that a grammar allows, and chooses from
// them.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/head.h"
#include "engine/head_projection.h"
#include "engine/pipeline.h"
#include "kernels/kernel_set.h"

namespace headway {

class FullHead final : public Head {
 public:
  // `pipeline` must outlive this object.
  FullHead(Pipeline* pipeline, const kernels::KernelSet& kernels, int64_t max_states);

  // States that need few rows alone share no pass: others would be judged by their rows.
  int64_t SharedStates(std::span<const HeadState> states) override;
  void Begin(const HeadStep& step, Counters* counters) override;
  Result<void> CheckState(int64_t state) const override;
  bool IsUsable(int64_t state) const override;
  Result<sampling::Sampler::Choice> Choose(int64_t state, std::span<const int32_t> history,
                                           Counters* counters) override;
  Result<std::span<float>> Logits(const float* hidden, int64_t num_states, int64_t first_position,
                                  Counters* counters) override;
  // Rows that a pass over `states` would compute for each of them.
  int64_t RowsFor(std::span<const HeadState> states);
  bool HasLogits() const override { return projection_.HasLogits(); }
  // What the pass computed of a state: its logits [V], those of rows that no mask allows left out.
  std::span<float> Row(int64_t state) const;
  int64_t MaxStates() const override { return projection_.MaxTokens(); }

 private:
  void ChooseRows(std::span<const HeadState> states);
  bool LogitsAreFinite(int64_t state) const;
  Result<void> CheckFinite(int64_t state, int64_t position) const;

  Pipeline* const pipeline_;
  const kernels::KernelSet kernels_;
  HeadProjection projection_;
  HeadStep step_;
  std::span<float> logits_;          // [num_states, HeadProjection::RowSize()] of the step
  std::vector<int32_t> needed_ids_;  // whose logits the step computes, ascending; empty: all
};

}  // namespace headway
