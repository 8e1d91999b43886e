#pragma once

// The Core ML lowering of a model's graph: finds layers and head in it and hands their sizes and
// weight rows to the shard builders of device/coreml/shards. Projections are fused (as Phi-3's) or
// separate; adjacent rotary pairs become halves by permuting rows; what else layers may have is
// mil::LayerForm, and everything beyond it is refused with the node that does not fit. The graph keeps its own ops:
// MIL is compared with the oracle, not forced back into the graph.

#include <functional>
#include <string>

#include "device/coreml/shards/head_shard.h"
#include "device/coreml/shards/layer_shard.h"
#include "device/emitter.h"
#include "graph/graph.h"
#include "graph/value_ranges.h"

namespace headway::coreml {

struct LoweringOptions {
  int64_t max_seq = 512;
  int64_t tokens = 1;
  bool flexible = false;
  mil::WeightFormat weights;
  mil::StateLayout states = mil::StateLayout::kPerLayer;
  mil::AttentionForm attention = mil::AttentionForm::kPerHead;
  float norm_prescale = 0.0F;        // 0: 1 / sqrt(D)
  float first_norm_prescale = 0.0F;  // of the first norm of the layers lowered; 0: as the others
  float residual_scale = 1.0F;       // as LayerShardSpec::residual_scale
  const graph::ValueRanges* ranges = nullptr;  // what values of the model reach; null: not known
  int64_t head_splits = 1;                     // as HeadShardSpec::splits, for full heads
};

// The program of layers [first_layer, first_layer + num_layers) of `model`, weights streamed into
// `blobs`; without `weights` the program alone. Errors: kUnsupported (a layer of another form), kInvalidInput, and those of `weights`
// and `blobs`.
Result<mil::Shard> LowerLayers(const graph::Graph& model, int first_layer, int num_layers,
                               const WeightSource& weights, const LoweringOptions& options,
                               mil::BlobSink* blobs, const mil::ShardOptions& shard_options = {});

// The program of head rows [vocab_begin, vocab_end): the last RMSNorm and linear of `model`; without
// `weights` the program alone.
Result<mil::Shard> LowerHead(const graph::Graph& model, int64_t vocab_begin, int64_t vocab_end,
                             HeadForm form, const WeightSource& weights,
                             const LoweringOptions& options, mil::BlobSink* blobs,
                             const mil::ShardOptions& shard_options = {});

}  // namespace headway::coreml
