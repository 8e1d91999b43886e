#pragma once

// The head that computes the logits of all rows, or of all that a grammar allows, and chooses from
// them. Every shard of the vocabulary projects the hidden states, and the selection reads whole
// rows of logits; both are timed apart. Shards may also give the maxima of blocks of their logits,
// which spare greedy decoding most of the scan, or nothing but their best token ("top1"): then a
// row is the best logit of each shard, and only greedy decoding has a meaning.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "engine/head.h"
#include "engine/pipeline.h"
#include "kernels/kernel_set.h"

namespace headway {

class FullHead final : public Head {
 public:
  // Holds logits of up to `max_states` states. `pipeline` must outlive this object.
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
  bool HasLogits() const override { return has_logits_; }
  int64_t MaxStates() const override { return max_states_; }

  // Rows that a pass over `states` would compute for each of them.
  int64_t RowsFor(std::span<const HeadState> states);
  // What the pass computed of a state: its logits [V], those of rows that no mask allows left out;
  // or the best logit of each shard.
  std::span<float> Row(int64_t state) {
    return {logits_.Pointer<float>() + state * row_size_, static_cast<size_t>(row_size_)};
  }
  std::span<const float> Row(int64_t state) const {
    return {logits_.Pointer<float>() + state * row_size_, static_cast<size_t>(row_size_)};
  }

 private:
  void ChooseRows(std::span<const HeadState> states);
  bool LogitsAreFinite(int64_t state) const;
  Result<void> CheckFinite(int64_t state, int64_t position) const;

  // Of hidden states [num_states, D] to logits_.
  Result<void> Project(const float* hidden, int64_t num_states, Counters* counters) noexcept;
  Result<void> ProjectAll(const float* hidden, int64_t num_states, Counters* counters);
  Result<void> ProjectNeeded(const float* hidden, int64_t num_states, Counters* counters);
  Result<void> ProjectNeededAtOnce(const float* hidden, int64_t num_states, Counters* counters);
  bool WantsBestOnly(std::span<const HeadState> states) const;
  Result<void> FindBest(const HeadStep& step, Counters* counters);
  int64_t RowsOfNeeded() const;
  StepArgs ArgsOf(size_t shard, const float* hidden, int64_t num_states,
                  std::span<const int32_t> blocks);
  Result<void> RunShard(size_t shard, const StepArgs& args, Counters* counters);
  void Count(size_t shard, const StepArgs& args, uint64_t ns, Counters* counters) const;

  void KeepWinners(size_t shard, int64_t num_states) noexcept;
  // The token whose logit stands in a column of a state's row.
  int32_t TokenOf(int64_t state, int64_t column) const;
  sampling::Sampler::Choice BestOfWinners(int64_t state) const noexcept;
  sampling::Sampler::Choice BestOfBlocks(int64_t state) const noexcept;

  Pipeline* const pipeline_;
  const kernels::KernelSet kernels_;
  const int64_t max_states_;
  std::vector<std::unique_ptr<ShardWorkspace>> workspaces_;
  bool has_logits_ = true;
  int64_t row_size_ = 0;  // V, or the number of shards
  AlignedBuffer scratch_;
  AlignedBuffer logits_;              // [max_states, row_size_]
  std::vector<int64_t> first_block_;  // of each shard, and the end; empty: no block maxima
  std::vector<int64_t> block_rows_;   // of each shard
  std::vector<float> maxima_;         // [max_states, all blocks]
  std::vector<float> winners_;        // [max_states, 2] of one shard; empty: logits
  std::vector<int32_t> winner_ids_;   // [max_states, row_size_]; empty: logits
  HeadStep step_;
  Result<void> projected_;           // whether the device did what Begin() asked
  std::vector<int32_t> needed_ids_;  // whose logits the step computes, ascending; empty: all
  std::vector<int32_t> blocks_;      // needed ones of one shard
  std::vector<HeadRun> runs_;        // one a shard
  RemoteHead* const remote_;         // null: all shards run here
  bool best_only_ = false;           // of the step, remote_ gave the winners and no logits
  std::vector<BestQuery> queries_;   // [max_states], with remote_
  std::vector<BestOfHead> best_;     // [max_states]
};

// Whether the choice is the largest logit and nothing but the logits has a say in it.
bool IsPlainGreedy(const sampling::SamplingParams& params, bool want_logprobs);

}  // namespace headway
