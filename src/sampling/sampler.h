#pragma once

// Turns one row of logits into one token: the only definition of sampling in Headway
// (docs/sampling.md), so that a seed gives the same text whatever head, topology, batch width or
// number of threads computed the logits. Used by heads and sessions; knows no text and no model.

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/kernel_set.h"
#include "sampling/prefix_cut.h"
#include "sampling/sampling_params.h"

namespace headway::sampling {

// Whether top-k, top-p or min-p is on.
inline bool HasFilters(const SamplingParams& params) {
  return params.top_k > 0 || params.top_p < 1.0F || params.min_p > 0.0F;
}

struct TokenProbability {
  int32_t id = -1;
  double probability = 0.0;
};

// What a choice is drawn from.
struct Distribution {
  std::vector<TokenProbability> best;  // by the ranking, without those of probability 0
  double chosen = 0.0;                 // the probability of the token that was asked about
};

class Sampler {
 public:
  struct Choice {
    int32_t token = -1;
    float logit = 0.0F;  // as the model gave it: before penalties and bias
    // ln softmax of the model's logits at temperature 1, all ids allowed; 0 unless asked for.
    float logprob = 0.0F;
  };

  // `params` must pass Validate(). Allocates everything that Sample needs. `pool` must outlive the
  // sampler.
  Sampler(SamplingParams params, int64_t vocab_size, const kernels::KernelSet& kernels,
          ThreadPool& pool);

  const SamplingParams& Params() const { return params_; }

  // Chooses the token that follows.
  //   logits: [V], NaN-free; modified
  //   position: of the token to choose, in its sequence (keys the noise)
  //   history: the sequence so far, oldest first (the repeat penalty reads its end); ids outside
  //     [0, V) are ignored
  //   mask: one bit an id, the ids allowed at this position besides the parameters' own rules, at
  //     least one of them allowed by those; empty: all. Part of step 3.
  // No allocation. The choice does not depend on the number of threads. When every allowed logit is
  // -infinity, the lowest allowed id is chosen. Not to be called inside ThreadPool::Run.
  Choice Sample(std::span<float> logits, uint64_t position, std::span<const int32_t> history,
                bool want_logprob = false, std::span<const uint64_t> mask = {}) noexcept;

  // Choice::logprob of `id`, to the bit.
  float Logprob(std::span<const float> logits, int32_t id);

  // What Sample() draws from, after all of its steps: softmax(l / T) over the tokens that they keep,
  // or the best one alone where T = 0. Its `count` best, and `chosen`. Modifies the logits;
  // allocates.
  Distribution Probabilities(std::span<float> logits, std::span<const int32_t> history,
                             std::span<const uint64_t> mask, int64_t count, int32_t chosen);

 private:
  struct Touched {
    int32_t id;
    float raw_logit;
    int32_t count;  // in the penalties' window
  };

  void Change(std::span<float> logits, std::span<const int32_t> history,
              std::span<const uint64_t> mask);
  void Penalise(std::span<float> logits, std::span<const int32_t> history);
  void CountTouched(std::span<const int32_t> window);
  void AddBias(std::span<float> logits);
  void KeepAllowed(std::span<float> logits);
  static void KeepMasked(std::span<float> logits, std::span<const uint64_t> mask);
  kernels::ArgMax Largest(std::span<const float> logits);
  double LogNormaliser(std::span<const float> logits);
  Cut FindCut(std::span<const float> logits, float max);
  int32_t Draw(std::span<float> logits, float max, uint64_t position);
  kernels::ArgMax DrawFromRange(std::span<float> logits, int64_t first_id, const Cut& cut,
                                uint64_t position) const;
  kernels::ArgMax DrawFromAll(std::span<const float> logits, int64_t first_id,
                              uint64_t position) const;
  kernels::ArgMax DrawFromFew(std::span<const float> block, int64_t first_id, const Cut& cut,
                              int32_t survivors, uint64_t position) const;
  float RawLogit(std::span<const float> logits, int32_t token) const;

  SamplingParams params_;
  kernels::KernelSet kernels_;
  ThreadPool& pool_;
  PrefixCutter cutter_;
  bool filters_;  // top-k, top-p or min-p is on
  float inverse_temperature_ = 1.0F;
  std::vector<int32_t> allowed_;              // ids ascending, each once
  std::vector<float> allowed_logits_;         // [allowed_]
  std::vector<uint64_t> seen_;                // one bit an id; all clear between calls
  std::vector<Touched> touched_;              // logits changed by penalty or bias, in that order
  std::vector<kernels::ArgMax> thread_best_;  // [threads]
};

}  // namespace headway::sampling
