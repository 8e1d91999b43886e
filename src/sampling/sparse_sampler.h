#pragma once

// Sampler's choice from a few logits instead of a whole row: for heads that compute only those that
// can matter. Given every row that can be among the best (which goal asks for: SparseGoal()), the
// choice is Sampler's own, bit for bit. docs/sampling.md defines both.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernel_set.h"
#include "sampling/sampler.h"
#include "sampling/sampling_params.h"
#include "sampling/softmax_mass.h"

namespace headway::sampling {

// Which rows decide a choice.
struct SparseGoal {
  // False: every row has a say (top-p without top-k), or nearly every (top-k of hundreds).
  bool possible = true;
  int64_t keep = 1;         // the best k
  float margin = 0.0F;      // or those within this of the best
  bool perturbed = false;   // the best of the perturbed values (no filters), else of the logits
  int64_t num_winners = 1;  // rows whose absence would change the choice
  // Look for the best perturbed value of all first: it is the choice when its logit is among the
  // best k, and the rows with larger logits are fewer to find than the best k.
  bool winner_first = false;
};
SparseGoal SparseGoalOf(const SamplingParams& params, int64_t vocab_size);

class SparseSampler {
 public:
  struct Entry {
    int32_t id = 0;
    float logit = 0.0F;  // as the model gave it
  };

  // `params` must pass Validate().
  SparseSampler(SamplingParams params, int64_t vocab_size, const kernels::KernelSet& kernels);

  const SamplingParams& Params() const { return params_; }
  // Ids that may be chosen, ascending; empty: all.
  std::span<const int32_t> Allowed() const { return allowed_; }

  // Finds the ids that penalty and bias change in a sequence; no allocation.
  void SetHistory(std::span<const int32_t> history);
  // Those ids, ascending. Valid until the next SetHistory().
  std::span<const int32_t> Changed() const { return changed_; }
  // The logit after penalty and bias.
  float Change(int32_t id, float logit) const;

  // Chooses among `entries` (ids ascending, the changed ids among them), as Sampler::Sample() does
  // when all others are worse than what the goal asks for. `position` as there. Its logprob is 0.
  Sampler::Choice Choose(std::span<const Entry> entries, uint64_t position);

  // The best perturbed value among `entries`, whatever the filters say.
  Sampler::Choice ChooseUnfiltered(std::span<const Entry> entries, uint64_t position);
  // Whether top-k and min-p keep `choice`, when every allowed row that comes before it in their
  // ranking is among `entries`. Top-p must be off.
  bool Keeps(std::span<const Entry> entries, const Sampler::Choice& choice);

 private:
  struct Ranked {
    int32_t id;
    float value;  // after penalty and bias
    float logit;
  };

  void Rank(std::span<const Entry> entries);
  Sampler::Choice Draw(std::span<const Ranked> kept, uint64_t position) const;
  size_t NumKept(std::span<const Ranked> ranked) const;

  SamplingParams params_;
  kernels::KernelSet kernels_;
  int64_t vocab_size_;
  SoftmaxMass mass_;
  bool filters_;
  float inverse_temperature_ = 1.0F;
  std::vector<int32_t> allowed_;
  std::vector<int32_t> penalised_;  // ascending, each once
  std::vector<int32_t> counts_;     // of penalised_, in the penalties' window
  std::vector<int32_t> changed_;
  std::vector<Ranked> ranked_;
};

}  // namespace headway::sampling
