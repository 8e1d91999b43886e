#pragma once

// The layers of one conversation: the KV cache and the buffers of a step.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "headway/counters.h"
#include "kernels/kernel_set.h"
#include "runtime/pipeline.h"
#include "runtime/rotary_tables.h"

namespace headway {

class LayerStack {
 public:
  // The same state for every shard, which must be able to store its form of keys and values.
  // `pipeline` and `pool` must outlive this object.
  LayerStack(Pipeline* pipeline, ThreadPool* pool, const kernels::KernelSet& kernels,
             const StateOptions& options);

  // Tokens of one step.
  int64_t MaxStep() const { return max_step_; }
  int64_t KvBytes() const;

  // Positions whose keys and values are in the cache.
  int64_t NumCached() const { return cached_; }
  // Forgets what is cached from position `num_tokens` on.
  void KeepCached(int64_t num_tokens);

  // Whether sequences of `length` tokens use the rotary factors that the cache was built with.
  bool FactorsFit(int64_t length) const { return rotary_.UsesLongFactors(length) == long_factors_; }
  // Takes the factors of such sequences. True when the cache had to be forgotten because its keys
  // were rotated with the others.
  bool ChooseFactors(int64_t length);

  // Runs `ids`, at most MaxStep(), at the positions after the cached ones. Does not allocate.
  void Run(std::span<const int32_t> ids, Counters* counters) noexcept;
  // Enters what Run() made into the cache's length. The first `num_checked` hidden states must be
  // finite. Errors: kCorrupt, naming the layers that made the first that is not; the length stays
  // then.
  Result<void> Keep(int64_t num_checked);

  // Hidden states before the head's norm of the tokens that ran last, [NumHidden(), D], valid until
  // the next Run(); null before the first.
  const float* Hidden() const { return hidden_; }
  int64_t NumHidden() const { return num_hidden_; }
  void ForgetHidden();

  // For benchmarks: made-up keys and values of `num_tokens` positions, for sequences of one more.
  // `fill`: write them, so that the memory is there.
  void Assume(int64_t num_tokens, bool fill);

 private:
  void CountFinite(size_t shard, const float* output, int64_t num_tokens) noexcept;

  Pipeline* const pipeline_;
  ThreadPool* const pool_;
  const kernels::KernelSet kernels_;
  const int64_t max_step_;
  RotaryTables rotary_;
  std::vector<std::unique_ptr<ShardState>> states_;
  std::vector<std::unique_ptr<ShardWorkspace>> workspaces_;
  AlignedBuffer hidden_a_;  // [max_step_, D], ping
  AlignedBuffer hidden_b_;  // pong
  AlignedBuffer scratch_;
  const float* hidden_ = nullptr;
  int64_t num_hidden_ = 0;
  std::vector<size_t> finite_shards_;  // [max_step_]: how many gave finite states, of each token
  int64_t cached_ = 0;
  bool long_factors_ = false;  // what the cache was built with
};

}  // namespace headway
