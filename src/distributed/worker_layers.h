#pragma once

// The layer shards of a worker, at work: keys and values of every conversation stay here.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "device/loaded_layer_shard.h"
#include "distributed/link.h"
#include "distributed/messages.h"
#include "kernels/kernel_set.h"
#include "manifest/model_config.h"

namespace headway::distributed {

class WorkerLayers {
 public:
  // Of `num_shards` in all. `link` must outlive this object.
  WorkerLayers(Link* link, size_t num_shards, const ModelConfig& model,
               const kernels::KernelSet& kernels)
      : link_(*link),
        shards_here_(link->GetHosts().LayersOf(link->Rank(), num_shards)),
        num_shards_(num_shards),
        model_(model),
        kernels_(kernels) {}
  // The next of the rank's shards.
  void Add(std::unique_ptr<LoadedLayerShard> shard);

  // Runs its shards of a step and hands it on. Errors: those of Link; what is wrong with the step
  // goes with it to rank 0.
  Result<void> Run(Reader* reader);

 private:
  Result<void> Change(const StateChange& change);
  Result<void> RunShards(Step* step);
  Result<void> RunShard(size_t shard, Step* step);

  Link& link_;
  const Slice shards_here_;
  const size_t num_shards_;
  const ModelConfig model_;
  const kernels::KernelSet kernels_;
  std::vector<std::unique_ptr<LoadedLayerShard>> shards_;
  std::vector<std::unique_ptr<ShardWorkspace>> workspaces_;  // of shards_
  int64_t capacity_tokens_ = 0;                              // of workspaces_
  // By shard and number.
  std::map<std::pair<size_t, uint64_t>, std::unique_ptr<ShardState>> states_;
  AlignedBuffer scratch_;
  AlignedBuffer input_;   // [T, D]
  AlignedBuffer output_;  // [T, D]
};

}  // namespace headway::distributed
