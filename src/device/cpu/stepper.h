#pragma once

// What one member of the team does in one step: its share of every phase of a plan, with a barrier
// between phases. Which member does what never changes a bit. Inside this folder only.

#include "base/thread_pool.h"
#include "device/cpu/plan.h"
#include "device/cpu/shard_file.h"
#include "device/cpu/shard_state.h"
#include "device/step.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

namespace headway::cpu {

class Stepper {
 public:
  // Everything is borrowed for the step. thread_index: which member of `pool` this is.
  Stepper(const ShardFile& file, const Plan& plan, const kernels::KernelSet& kernels,
          const StepArgs& args, ThreadPool* pool, int thread_index)
      : file_(file),
        plan_(plan),
        kernels_(kernels),
        args_(args),
        workspace_(static_cast<CpuWorkspace*>(args.workspace)),
        pool_(pool),
        thread_index_(thread_index) {}

  // Phases [begin, end); what the first one reads must be there.
  void Run(size_t begin, size_t end);

 private:
  // Each returns whether there was something to do for this member.
  bool Execute(const RowsPhase& phase, size_t phase_index);
  bool Execute(const LinearPhase& phase, size_t phase_index);
  bool Execute(const AttentionPhase& phase, size_t phase_index);
  bool Execute(const EmbeddingPhase&, size_t) { return false; }  // rows are read by the host
  bool ExecuteNeeded(const LinearPart& part, size_t phase_index);

  bool SharedByChannels(const RowsPhase& phase) const;
  void ExecuteRowOp(const RowOp& op, int64_t t);
  void Quantise(const RowOp& op, int64_t t);

  int64_t RowsOf(const LinearPart& part) const { return Weight(part).shape[0]; }
  const graph::Weight& Weight(const LinearPart& part) const {
    return file_.graph.weights[static_cast<size_t>(part.weight)];
  }
  int64_t TotalTiles(const LinearPhase& phase) const;
  // Tiles [begin, end) of a part.
  struct PartTiles {
    const LinearPart* part;
    int64_t begin;
    int64_t end;
  };
  // The part that tile `begin` of the phase belongs to, and its tiles among [begin, end).
  PartTiles PartAt(const LinearPhase& phase, int64_t begin, int64_t end) const;
  void Multiply(const LinearPart& part, int64_t tile_begin, int64_t tile_end,
                int64_t strip_begin = 0, int64_t strip_end = kernels::kTileStrips);
  void AddBias(const LinearPart& part, int64_t tile_begin, int64_t tile_end);
  void CapRows(const LinearPart& part, const kernels::MatMulArgs& args) const;
  void MultiplyForBest(const LinearPart& part, int64_t tile_begin, int64_t tile_end);
  void StoreMaxima(const LinearPart& part, int64_t tile_begin, int64_t tile_end);
  kernels::MatMulArgs ProductOf(const LinearPart& part) const;  // of all tiles
  void Warm(const LinearPhase& phase) const;

  // Tokens of a row; `first_token` counts in the step.
  struct RowPart {
    const StepRow* row;
    int64_t first_token;
    int64_t first_position;
    int64_t num_tokens;
  };
  // The rows cut into blocks of up to `width` tokens: how many, and one of them.
  int64_t NumBlocks(int64_t width) const;
  RowPart BlockOf(int64_t block, int64_t width) const;
  void StoreHead(const AttentionPhase& phase, int64_t kv_head, const RowPart& part);
  void Attend(const AttentionPhase& phase, int64_t kv_head, const RowPart& part);

  float* At(const Place& place, int64_t token) const;
  int64_t StrideOf(const Place& place) const {
    return place.base == Place::Base::kOutput ? args_.output_stride : place.stride_channels;
  }
  kernels::QuantisedRows Quantised(int64_t offset_bytes, int64_t channels) const {
    return {.blocks = reinterpret_cast<kernels::ActivationBlock*>(args_.scratch + offset_bytes),
            .num_tokens = args_.num_tokens,
            .num_channels = channels};
  }

  const ShardFile& file_;
  const Plan& plan_;
  const kernels::KernelSet& kernels_;
  const StepArgs& args_;
  CpuWorkspace* const workspace_;
  ThreadPool* const pool_;
  const int thread_index_;
};

}  // namespace headway::cpu
