#pragma once

// Fused decoder layers as one ML Program for the Neural Engine: [1, C, T, 1] layout, 1x1
// convolutions, RMSNorm with a pre-scale, rotary halves, KV cache as fp16 states written through
// one-hot masks. The host passes masks and rotary tables, so that the program has no position
// arithmetic and no integer op. Needs plain numbers and rows of weights only; the graph, GGUF and
// packages are not known here.
//
// Letters: D hidden_size, H heads, Hk kv heads, d head_dim, R rotary_dims, F intermediate_size,
// S max_seq, T tokens, L layers.
//
//   inputs              T = 1             T > 1
//   x                   [1, D, 1, 1]      [1, D, T, 1]
//   rope_cos, rope_sin  [1, R/2]          [1, 1, R/2, T]
//   attn_mask           [1, 1, 1, S]      [1, 1, T, S]      additive (-1e4)
//   kv_write_mask       [1, 1, S, 1]      [1, 1, S, T]      a one-hot column a token; a column of
//                                                           zeros writes nothing
//   output
//   hidden              [1, D, T, 1]
//   states
//   k_cache_<l>, v_cache_<l>              [1, Hk, S, d]     StateLayout::kPerLayer
//   kv_cache                              [2 L, Hk, S, d]   StateLayout::kUnified, keys first
//
// StateLayout::kOutside has no states and no kv_write_mask, shapes of T > 1 for every T, and beside
//   inputs   k_cache_<l>, v_cache_<l>     [1, Hk, d, S]     what the host has kept
//            attn_mask                    [1, 1, T, S + T]  cached positions, then the step's own
//   outputs  k_new_<l>, v_new_<l>         [1, Hk, d, T]     what the host appends
//
// T = 1 is the published structure, op for op: (69 + 10 Hk) L + 3 compute ops with partial rotary,
// 4 L fewer with full rotary, and 4 L convolutions (docs/formats/coreml_package.md, "op
// structure").

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "device/coreml/ir/model.h"
#include "device/coreml/shards/weight_format.h"

namespace headway::mil {

enum class StateLayout : uint8_t {
  kPerLayer,  // two states a layer: as published, measured with 40 states on macOS
  kUnified,   // one state for all layers: for systems that fail with three or more
  // Caches are inputs, new keys and values outputs: for systems that refuse programs that write
  // states. The host keeps the caches.
  kOutside,
};

enum class AttentionForm : uint8_t {
  kPerHead,  // a loop over KV heads: as published
  // One batched product; about 70 ops a layer fewer at 8 heads, residency not measured by anyone.
  kBatched,
};

struct LayerShardSpec {
  int64_t hidden_size = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t rotary_dims = 0;  // of head_dim, from the front; halves are [0, R/2) and [R/2, R)
  int64_t intermediate_size = 0;
  int first_layer = 0;
  int num_layers = 1;
  int64_t max_seq = 0;
  int64_t tokens = 1;     // T
  bool flexible = false;  // T is RangeDim 1..tokens
  float rms_norm_epsilon = 1e-5F;
  // Factor on x before it is squared; 0: 1 / sqrt(D), as published. Small activations want a larger
  // one: squares below 2^-24 are 0 in fp16.
  float norm_prescale = 0.0F;
  // Of the first layer's first norm, when its input is as small as an embedding; its second norm,
  // whose input is that and what attention adds, takes the geometric mean of both factors. 0: as
  // the others.
  float first_norm_prescale = 0.0F;
  StateLayout states = StateLayout::kPerLayer;
  AttentionForm attention = AttentionForm::kPerHead;
  WeightFormat weights;
};

enum class LayerWeight : uint8_t {
  kAttentionNorm,  // [1, D]
  kQkv,            // [(H + 2 Hk) d, D]: queries, keys, values
  kAttentionOut,   // [D, H d]
  kFfnNorm,        // [1, D]
  kGateUp,         // [2 F, D]: gate, up
  kDown,           // [D, F]
};

// Rows [first_row, first_row + out.size() / columns) of a weight of model layer `layer`. Called
// from several threads.
using LayerWeightSource = std::function<Result<void>(LayerWeight weight, int layer,
                                                     int64_t first_row, std::span<float> out)>;

struct ShardOptions {
  ThreadPool* pool = nullptr;
  // Called after each weight with the parameters written so far and in total.
  std::function<void(int64_t done, int64_t total)> progress;
};

struct Shard {
  Model model;
  std::vector<WeightReport> weights;
};

// Parameters of the shard's matrices.
int64_t CountParameters(const LayerShardSpec& spec);

// Builds the program and streams its weights into `blobs`; without a source (an empty function)
// only the program. Errors: kInvalidInput (a spec that contradicts itself), and those of the source
// and the sink.
Result<Shard> BuildLayerShard(const LayerShardSpec& spec, const LayerWeightSource& source,
                              BlobSink* blobs, const ShardOptions& options = {});

}  // namespace headway::mil
