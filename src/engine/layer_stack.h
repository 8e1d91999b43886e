#pragma once

// The layers of a package at work: the buffers of a step, which tokens of several conversations may
// share.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "engine/pipeline.h"
#include "engine/rotary_tables.h"
#include "engine/sequence_cache.h"
#include "headway/counters.h"
#include "kernels/kernel_set.h"

namespace headway {

// One conversation's part of a step.
struct LayerRow {
  SequenceCache* cache = nullptr;     // no two rows of a step share one
  std::span<const int32_t> ids = {};  // at least one, at the positions after the cached ones
};

class LayerStack {
 public:
  // `pipeline` and `pool` must outlive this object.
  LayerStack(Pipeline* pipeline, ThreadPool* pool, const kernels::KernelSet& kernels);

  // Tokens of one step.
  int64_t MaxStep() const { return max_step_; }

  // Before steps whose caches hold up to that many tokens. Allocates.
  void Reserve(int64_t capacity_tokens);

  // Runs the tokens of all rows, together at most MaxStep(). The caches' lengths stay: whoever finds
  // the hidden states good extends them. Does not allocate.
  void Run(std::span<const LayerRow> rows, Counters* counters) noexcept;

  // Hidden states before the head's norm of the tokens that ran last, row after row, [T, D]; valid
  // until the next Run().
  const float* Hidden() const { return hidden_; }
  // That those of `count` tokens of the step from `first_token` on are finite; they stand at
  // positions from `position` on. Errors: kCorrupt, naming the layers that made the first that is
  // not.
  Result<void> CheckFinite(int64_t first_token, int64_t count, int64_t position) const;

 private:
  void Embed(float* x) noexcept;
  void FillRotary(std::span<const LayerRow> rows) noexcept;
  StepArgs StepOfShard(size_t shard, std::span<const LayerRow> rows, const float* x,
                       float* y) noexcept;
  void CountFinite(size_t shard, const float* output) noexcept;

  Pipeline* const pipeline_;
  ThreadPool* const pool_;
  const kernels::KernelSet kernels_;
  const int64_t max_step_;
  RotaryTables rotary_;
  std::vector<std::unique_ptr<ShardWorkspace>> workspaces_;
  int64_t capacity_tokens_ = 0;  // of the workspaces
  AlignedBuffer hidden_a_;       // [max_step_, D], ping
  AlignedBuffer hidden_b_;       // pong
  AlignedBuffer scratch_;
  std::vector<StepRow> step_rows_;  // scratch
  std::vector<int32_t> ids_;        // of the step
  const float* hidden_ = nullptr;
  int64_t num_tokens_ = 0;             // of the step
  std::vector<size_t> finite_shards_;  // [max_step_]: how many gave finite states, of each token
};

}  // namespace headway
