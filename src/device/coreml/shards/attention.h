#pragma once

// Attention over a cache held in states, in the two forms of a layer shard: one token a step as
// published, or several. A form declares its inputs and states when it is made, appends one layer
// at a time, and finishes the states.

#include <memory>
#include <string>

#include "device/coreml/shards/layer_shard.h"

namespace headway::mil {

// What a layer's attention reads.
struct AttentionInput {
  std::string qkv = {};  // [1, (H + 2 Hk) d, T, 1]
  float scale = 1.0F;    // of qkv
  // [1, 1, d, 1] each, where heads are normalised.
  std::string query_gain = {};
  std::string key_gain = {};
};

class LayerAttention {
 public:
  virtual ~LayerAttention() = default;
  // Returns [1, H d, T, 1]: what it should be times the input's scale. `p` prefixes the names of the
  // layer's values.
  virtual std::string Layer(int layer, const std::string& p, const AttentionInput& input) = 0;
  // Writes what is still to be written; called once, after the last layer.
  virtual void Finish() = 0;
};

std::unique_ptr<LayerAttention> MakeSingleTokenAttention(const LayerShardSpec& spec,
                                                         FunctionBuilder* f);
std::unique_ptr<LayerAttention> MakeMultiTokenAttention(const LayerShardSpec& spec,
                                                        FunctionBuilder* f);

// The KV cache of a shard in either state layout.
class CacheStates {
 public:
  CacheStates(const LayerShardSpec& spec, FunctionBuilder* f);
  // The cached keys or values of a layer, [1, Hk, S, d]. One op: read_state, or a slice of the
  // unified state (which is read once). Outside the program: [1, Hk, d, S], an input, no op.
  std::string Read(bool keys, int layer, const std::string& p);
  // Replaces them; returns the new ones. Two ops: slice_update over the full range, write_state.
  // The unified state is written once, by Finish().
  std::string Write(bool keys, int layer, const std::string& p, const std::string& old,
                    const std::string& fresh);
  void Finish();

 private:
  const LayerShardSpec& spec_;
  FunctionBuilder* f_;
  std::vector<std::string> states_;  // per layer: keys, values; or the one
  std::string unified_;              // its current value
};

}  // namespace headway::mil
