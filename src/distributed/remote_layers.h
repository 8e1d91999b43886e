#pragma once

// The layers as rank 0 sees them: its own shards, and shards of other ranks that look the same. A
// step runs its own first, then goes round the other ranks and comes back.

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "device/loaded_layer_shard.h"
#include "distributed/link.h"
#include "distributed/messages.h"

namespace headway::distributed {

// What the shards have in common. Must outlive them and their states; any thread may make and drop
// states, one at a time runs steps.
class LayerRing {
 public:
  // `ranks`: of each layer shard.
  LayerRing(Link* link, std::vector<int> ranks) : link_(*link), ranks_(std::move(ranks)) {}

  bool IsOwn(size_t shard) const { return ranks_[shard] == link_.Rank(); }
  uint64_t NewNumber();
  // Told to the ranks with the next step.
  void Add(const StateChange& change);

  // Runs shards from `first` on, one a run, none of them of this rank, as RunStack() does.
  Result<void> Run(size_t first, std::span<const LayersRun> runs, const LayersDone& done,
                   size_t number_of_first_run);

 private:
  Step MakeStep(size_t first, std::span<const LayersRun> runs);

  Link& link_;
  const std::vector<int> ranks_;
  std::mutex mutex_;
  uint64_t next_number_ = 1;
  std::vector<StateChange> changes_;
};

// A shard: `here` runs it, or, on another rank, says what it is like.
class PlacedLayers final : public LoadedLayerShard {
 public:
  PlacedLayers(size_t shard, std::unique_ptr<LoadedLayerShard> here, LayerRing* ring);

  Result<void> Run(const StepArgs& args) noexcept override;
  Result<void> RunStack(std::span<const LayersRun> runs, const LayersDone& done) noexcept override;
  std::unique_ptr<ShardState> NewState(const StateOptions& options) const override;
  int64_t StateBytes(const StateOptions& options) const override {
    return here_->StateBytes(options);
  }
  std::unique_ptr<ShardWorkspace> NewWorkspace(int64_t capacity_tokens) const override {
    return ring_.IsOwn(shard_) ? here_->NewWorkspace(capacity_tokens) : nullptr;
  }
  headway::Residency Residency() const override { return here_->Residency(); }
  void LetGoOfWeights() const override { here_->LetGoOfWeights(); }

 private:
  const size_t shard_;
  const std::unique_ptr<LoadedLayerShard> here_;
  LayerRing& ring_;
};

}  // namespace headway::distributed
