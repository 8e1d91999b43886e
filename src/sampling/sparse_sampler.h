#pragma once

// Sampler's choice from a few logits instead of a whole row: for heads that compute only those that
// can matter. Given every row that can be among the best (which goal asks for: SparseGoal()), the
// choice is Sampler's own, bit for bit. docs/sampling.md defines both.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/kernel_set.h"
#include "sampling/sampler.h"
#include "sampling/sampling_params.h"
#include "sampling/softmax_mass.h"

namespace headway::sampling {

// Which rows decide a choice.
struct SparseGoal {
  bool possible = true;     // false: nearly every row has a say (top-k of thousands)
  int64_t keep = 1;         // the best k; 0: as many as it takes (top-p without top-k)
  float margin = 0.0F;      // or those within this of the best
  bool perturbed = false;   // the best of the perturbed values (no filters), else of the logits
  int64_t num_winners = 1;  // rows whose absence would change the choice, or kNucleusWinners
  // Look for the best perturbed value of all first: it is the choice when the filters keep it, and
  // the rows with larger logits are mostly few.
  bool winner_first = false;
};
SparseGoal SparseGoalOf(const SamplingParams& params, int64_t vocab_size);

// Top-p without top-k depends on the masses of all rows, among which some may be lost. Not those
// that must not be (the winner of all rows, the choice, the largest logit), and of the others at
// most a share kLostShare of the mass of all: each row is lost with probability at most delta /
// kNucleusWinners, so more than that share is with at most 61 of those 64ths (Markov's inequality;
// docs/certified_head.md).
inline constexpr int64_t kNucleusWinners = 64;
inline constexpr double kLostShare = 1.0 / 61.0;

// What is known of the rows that are not among the entries.
struct RestOfRows {
  // Those of at least this value are among the entries.
  float below = 0.0F;
  // At most so many of them count (top-k); -1: any number.
  int64_t count = -1;
  // Their mass, at most, in units of SoftmaxMass of the best value; lost rows apart. Not needed
  // where `count` says enough.
  double mass = 0.0;
};

// How much more must be known for a choice: by what factor the mass that is known must grow, or
// what the mass of the rest must stay below. Where neither helps: infinity, and at most 0. For
// decisions about speed.
struct Missing {
  double known = 0.0;
  double room = 0.0;
};

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
  // The choice from some rows, when they are enough for it; else nothing. `winner`: the best
  // perturbed value of all rows.
  std::optional<Sampler::Choice> ChooseFrom(std::span<const Entry> entries, uint64_t position,
                                            const Sampler::Choice& winner, const RestOfRows& rest);
  // Why the last call chose nothing.
  const Missing& WhatIsMissing() const { return missing_; }
  // The largest value among the entries of the last call.
  float Best() const { return ranked_.front().value; }

 private:
  struct Ranked {
    int32_t id;
    float value;  // after penalty and bias
    float logit;
  };

  // Whether the filters keep a row.
  enum class Verdict : uint8_t { kKept, kDropped, kUnknown };

  void Rank(std::span<const Entry> entries);
  Verdict Judge(float value, uint64_t before, size_t num_complete, const RestOfRows& rest);
  bool MinPKeeps(float value) const;
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
  Missing missing_;
  std::vector<uint64_t> mass_before_;  // [ranked_ + 1]: of the rows before one
};

}  // namespace headway::sampling
