#pragma once

// Loaded layers: hidden states in, hidden states out, keys and values kept of each conversation.

#include <memory>

#include "device/loaded_shard.h"

namespace headway {

class LoadedLayerShard : public LoadedShard {
 public:
  // Whether states can hold keys and values in that form.
  bool CanStore(KvType kv) const { return kv == KvType::kF16 || facts_.stores_q8_kv; }
  // Null: the shard keeps nothing of a conversation.
  virtual std::unique_ptr<ShardState> NewState(const StateOptions& options) const = 0;
  // For work that runs a shard once: weights that are read in place need not stay in memory. The
  // next run reads them from the file again.
  virtual void LetGoOfWeights() const {}

 protected:
  using LoadedShard::LoadedShard;
};

}  // namespace headway
