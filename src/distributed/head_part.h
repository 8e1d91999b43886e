#pragma once

// The shards of a head that are on this rank, at work: what a worker and rank 0 do alike.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "device/remote_head.h"
#include "engine/local_search.h"
#include "engine/pipeline.h"
#include "kernels/kernel_set.h"

namespace headway::distributed {

class HeadPart {
 public:
  // `loaded`: some shards of a head that adjoin, and its planes where it has any. `pool` must
  // outlive the part.
  HeadPart(LoadedHead loaded, const ModelConfig& model, ThreadPool* pool,
           const kernels::KernelSet& kernels);
  HeadPart(const HeadPart&) = delete;
  HeadPart& operator=(const HeadPart&) = delete;

  const LoadedHead& Loaded() const { return loaded_; }
  lmhead::RowRange Rows() const {
    return {.begin = loaded_.specs.front().vocab_start, .end = loaded_.specs.back().vocab_end};
  }
  int64_t VocabSize() const { return model_.vocab_size; }

  // The winners among these rows. As RemoteHead::FindBest().
  Result<void> FindBest(const float* hidden, std::span<const BestQuery> queries,
                        std::span<BestOfHead> best);

  // One shard's outputs [num_states, columns] and maxima [num_states, NumBlocks()], with stride 0:
  // none wanted. `blocks`: those needed; empty: all.
  struct ShardOutput {
    size_t shard = 0;  // of this part
    std::span<const int32_t> blocks = {};
    float* output = nullptr;
    int64_t output_stride = 0;
    float* maxima = nullptr;
    int64_t maxima_stride = 0;
  };
  Result<void> Run(const float* hidden, int64_t num_states, std::span<const ShardOutput> outputs);

  // Null: no planes. Made when first asked for. Errors: those of LocalSearch::Create().
  Result<LocalSearch*> Search(int64_t max_states);

 private:
  LoadedHead loaded_;
  const ModelConfig model_;
  ThreadPool* const pool_;
  const kernels::KernelSet kernels_;
  std::vector<std::unique_ptr<ShardWorkspace>> workspaces_;
  AlignedBuffer scratch_;
  std::vector<float> logits_;  // [states, rows]
  std::unique_ptr<LocalSearch> search_;
};

// The better of two winners of disjoint rows.
BestOfHead BetterOf(const BestOfHead& a, const BestOfHead& b);

}  // namespace headway::distributed
