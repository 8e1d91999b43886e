#pragma once

// Programs to predict the placement of.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "device/coreml/place/predict.h"
#include "device/coreml/shards/head_shard.h"
#include "device/coreml/shards/layer_shard.h"

namespace headway::mil {

// Phi-4-mini at its real sizes, without weights.
inline LayerShardSpec PhiLayers(int num_layers, WeightFormat weights = {}) {
  LayerShardSpec spec;
  spec.hidden_size = 3072;
  spec.num_heads = 24;
  spec.num_kv_heads = 8;
  spec.head_dim = 128;
  spec.rotary_dims = 96;
  spec.intermediate_size = 8192;
  spec.num_layers = num_layers;
  spec.max_seq = 512;
  spec.weights = weights;
  return spec;
}

inline HeadShardSpec PhiHead(int64_t ways, HeadForm form) {
  HeadShardSpec spec;
  spec.hidden_size = 3072;
  spec.vocab_end = 200064 / ways;
  spec.form = form;
  return spec;
}

inline PlacementReport Predict(const Shard& shard, const PlacementOptions& options = {}) {
  auto report = PredictPlacement(shard.model.program.functions.at("main"), options);
  EXPECT_TRUE(report.has_value()) << report.error().message;
  return *std::move(report);
}

inline Shard Layers(const LayerShardSpec& spec) {
  PhantomBlobs blobs;
  auto shard = BuildLayerShard(spec, {}, &blobs);
  EXPECT_TRUE(shard.has_value()) << shard.error().message;
  return *std::move(shard);
}

inline Shard Head(const HeadShardSpec& spec) {
  PhantomBlobs blobs;
  const std::vector<float> gain(static_cast<size_t>(spec.hidden_size), 1.0F);
  auto shard = BuildHeadShard(spec, gain, {}, &blobs);
  EXPECT_TRUE(shard.has_value()) << shard.error().message;
  return *std::move(shard);
}

inline std::set<std::string> OpsOnCpu(const PlacementReport& report) {
  std::set<std::string> types;
  for (const PlacedOp& op : report.ops) {
    if (op.device == Device::kCpu) types.insert(op.type);
  }
  return types;
}

}  // namespace headway::mil
