#pragma once

// Loaded layers: hidden states in, hidden states out, keys and values kept of each conversation.

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "device/loaded_shard.h"

namespace headway {

class LoadedLayerShard;

// One shard in a step that runs all layers; its input is the output of the one before.
struct LayersRun {
  LoadedLayerShard* shard = nullptr;
  StepArgs args;
};
// Told after each shard, in order, on the thread that called: for counters, and for looks at its
// output.
using LayersDone = std::function<void(size_t shard)>;

class LoadedLayerShard : public LoadedShard {
 public:
  // Whether states can hold keys and values in that form.
  bool CanStore(KvType kv) const { return kv == KvType::kF16 || facts_.stores_q8_kv; }
  // Runs all shards of the stack that this is the first shard of, with the results of Run() on each
  // in turn; stops at the first that fails. Where a device can, a shard reads what the one before
  // has made where that lies.
  virtual Result<void> RunStack(std::span<const LayersRun> runs, const LayersDone& done) noexcept {
    for (size_t i = 0; i < runs.size(); ++i) {
      HW_TRY_VOID(runs[i].shard->Run(runs[i].args));
      done(i);
    }
    return {};
  }
  // What NewState() would reserve.
  virtual int64_t StateBytes([[maybe_unused]] const StateOptions& options) const { return 0; }
  // Null: the shard keeps nothing of a conversation.
  virtual std::unique_ptr<ShardState> NewState(const StateOptions& options) const = 0;
  // For work that runs a shard once: weights that are read in place need not stay in memory. The
  // next run reads them from the file again.
  virtual void LetGoOfWeights() const {}

 protected:
  using LoadedShard::LoadedShard;
};

}  // namespace headway
