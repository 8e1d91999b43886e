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
//   attn_mask           [1, 1, 1, S]      [1, 1, T, S]      additive (kMasked)
//   kv_write_mask       [1, 1, S, 1]      [1, 1, S, T]      a one-hot column a token; a column of
//                                                           zeros writes nothing
//   output
//   hidden              [1, D, T, 1]
// Layers that are not Llama's (LayerForm) ask for more, the shapes of T > 1 for every T:
//   rope_cos_<n>, rope_sin_<n>            table n of the step; a table that no layer turns by is none
//   attn_mask_w<W>                        of layers that see W positions; attn_mask of those that
//                                         see all, where there are such
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

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "device/coreml/ir/model.h"
#include "device/coreml/shards/weight_format.h"

namespace headway::mil {

// Added to scores of positions that a token must not see; the value of Apple's own rules: infinities
// and larger numbers overflow in sums.
inline constexpr float kMasked = -4e4F;

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

// The norms of a layer.
enum class NormPlace : uint8_t { kAttentionIn, kFfnIn, kAttentionOut, kFfnOut, kQueries, kKeys };
inline constexpr size_t kNumNormPlaces = 6;

// What keeps a layer's values inside fp16: powers of two, so that they cost no bit.
struct LayerFactors {
  // On a norm's input before it is squared, by NormPlace; 0: the shard's.
  std::array<float, kNumNormPlaces> prescales = {};
  float heads = 1.0F;   // on what the attention's output product reads
  float hidden = 1.0F;  // on what the feed-forward's second product reads
  friend bool operator==(const LayerFactors&, const LayerFactors&) = default;
};

// What a layer has besides Llama's or instead; the defaults are Llama's.
struct LayerForm {
  bool norms_before = true;  // attention and feed-forward read a norm of the residual stream
  bool norms_after = false;  // and what they add is normalised
  bool head_norms = false;   // of each head of queries and keys
  bool rotary = true;        // queries and keys turn
  int64_t rotary_table = 0;  // by this table
  int64_t window = 0;        // positions a token sees, itself included; 0: all
  bool gelu = false;         // by its tanh form, in place of SiLU
  bool qkv_bias = false, out_bias = false, gate_up_bias = false, down_bias = false;
  float input_scale = 1.0F;   // on what the layer is given
  float branch_scale = 1.0F;  // on what attention and feed-forward add
  float score_scale = 0.0F;   // on products of queries and keys; 0: 1 / sqrt(d)
  float score_cap = 0.0F;     // cap: a scaled score becomes cap * tanh(score / cap); 0: none
  LayerFactors factors = {};
  // Whether the published form of attention, for one token alone, serves.
  bool HasPlainAttention() const {
    return !head_norms && rotary && rotary_table == 0 && window == 0;
  }
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
  // On the residual stream: x, hidden and all between hold the model's times this, a power of two.
  // Norms do not see it, and what is added carries it.
  float residual_scale = 1.0F;
  std::vector<LayerForm> forms = {};  // of each layer; empty: Llama's
  StateLayout states = StateLayout::kPerLayer;
  AttentionForm attention = AttentionForm::kPerHead;
  WeightFormat weights;

  LayerForm FormOf(int layer) const {
    return forms.empty() ? LayerForm() : forms[static_cast<size_t>(layer)];
  }
};

enum class LayerWeight : uint8_t {
  kAttentionNorm,  // [1, D]
  kQkv,            // [(H + 2 Hk) d, D]: queries, keys, values
  kAttentionOut,   // [D, H d]
  kFfnNorm,        // [1, D]
  kGateUp,         // [2 F, D]: gate, up
  kDown,           // [D, F]
  // Where the layer's form has them.
  kAttentionPostNorm,  // [1, D]
  kFfnPostNorm,        // [1, D]
  kQueryNorm,          // [1, d]
  kKeyNorm,            // [1, d]
  kQkvBias,            // [1, (H + 2 Hk) d]
  kAttentionOutBias,   // [1, D]
  kGateUpBias,         // [1, 2 F]
  kDownBias,           // [1, D]
};

// Rows [first_row, first_row + out.size() / columns) of a weight of model layer `layer`, or the whole
// of a vector. Called from several threads.
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

// The names of inputs: cos or sin of a rotary table, the mask of layers that see `window` positions.
std::string RotaryInput(std::string_view function, int64_t table);
std::string MaskInput(int64_t window);

// Parameters of the shard's matrices.
int64_t CountParameters(const LayerShardSpec& spec);

// Builds the program and streams its weights into `blobs`; without a source (an empty function)
// only the program. Errors: kInvalidInput (a spec that contradicts itself), and those of the source
// and the sink.
Result<Shard> BuildLayerShard(const LayerShardSpec& spec, const LayerWeightSource& source,
                              BlobSink* blobs, const ShardOptions& options = {});

}  // namespace headway::mil
