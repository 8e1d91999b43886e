#pragma once

// Runs a package's shards by themselves and one after another, teacher-forced, without a session:
// for gates and for whoever wants the hidden states of a text. Allocates as it goes. Errors of all:
// those of LoadedShard::Run().

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "device/loaded_head_shard.h"
#include "device/loaded_layer_shard.h"
#include "engine/pipeline.h"
#include "manifest/model_config.h"

namespace headway {

// The output [T, D] of layers for T tokens from position 0, in steps of at most `step` tokens (and
// what the shard takes).   input: [T, D]
Result<std::vector<float>> RunLayerShard(LoadedLayerShard* shard, const ModelConfig& config,
                                         std::span<const float> input, int64_t step);

// The logits [T, num_rows] of a head shard that gives them.   input: [T, D]
Result<std::vector<float>> RunHeadShard(LoadedHeadShard* shard, const ModelConfig& config,
                                        std::span<const float> input, int64_t num_rows);

// What happens to a shard's weights after it has run.
enum class AfterRun : uint8_t { kKeepWeights, kLetGoOfWeights };

// The embeddings of `ids` through all layers: [T, D], before the final norm.
Result<std::vector<float>> RunLayers(Pipeline* pipeline, std::span<const int32_t> ids,
                                     AfterRun after = AfterRun::kKeepWeights);

}  // namespace headway
