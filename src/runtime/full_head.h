#pragma once

// The head that computes the logits of all rows, or of all that a grammar allows, and chooses from
// them.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_set.h"
#include "runtime/head.h"
#include "runtime/head_projection.h"
#include "runtime/pipeline.h"

namespace headway {

class FullHead final : public Head {
 public:
  // `pipeline` and `sampler` must outlive this object.
  FullHead(Pipeline* pipeline, const kernels::KernelSet& kernels, sampling::Sampler* sampler,
           int64_t max_states);

  Result<void> Begin(const HeadStep& step, Counters* counters) override;
  bool IsUsable(int64_t state) const override;
  Result<sampling::Sampler::Choice> Choose(int64_t state, std::span<const int32_t> history,
                                           Counters* counters) override;
  Result<std::span<float>> Logits(const HeadStep& step, Counters* counters) override;
  // Rows that Begin() would compute for each state of the step.
  int64_t RowsFor(const HeadStep& step);
  bool HasLogits() const override { return projection_.HasLogits(); }
  int64_t MaxStates() const override { return projection_.MaxTokens(); }
  int64_t ScratchBytes() const override { return projection_.ScratchBytes(); }

 private:
  void ChooseRows();
  std::span<float> Row(int64_t state) const;
  bool LogitsAreFinite(int64_t state) const;
  Result<void> CheckFinite(int64_t state) const;

  Pipeline* const pipeline_;
  const kernels::KernelSet kernels_;
  sampling::Sampler* const sampler_;
  HeadProjection projection_;
  HeadStep step_;
  std::span<float> logits_;          // [num_states, HeadProjection::RowSize()] of the step
  std::vector<int32_t> needed_ids_;  // whose logits the step computes, ascending; empty: all
};

}  // namespace headway
