#pragma once

// Which rows of which weights of the graph make the matrices and vectors of a layer shard, and what
// form its layers have, found by walking the graph's edges: projections that are matrices of their
// own or slices of one, rotary halves or adjacent pairs, norms before or after. Inside this folder:
// the lowering reads rows through it, and the oracle's view of a written shard goes the other way.

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "device/coreml/shards/layer_shard.h"
#include "graph/graph.h"

namespace headway::coreml {

// Consecutive rows of a shard's matrix, from one weight of the graph; or of a vector, whose numbers
// are its rows.
struct WeightPart {
  const graph::Weight* weight = nullptr;  // of the graph, which must outlive this; null: zeros
  int64_t first_row = 0;                  // of the weight as the graph has it
  int64_t num_rows = 0;
  // Adjacent rotary pairs (2i, 2i + 1) of each head are stored as halves (i, i + R / 2): queries
  // and keys are permuted alike, so that their products stay what they were. 0: as they are.
  int64_t paired_dims = 0;  // R
  int64_t head_dim = 0;
  bool is_vector = false;  // all numbers are one row of the model file

  // The row of the weight that row `row` of this part holds.
  int64_t SourceRow(int64_t row) const;
};

inline constexpr size_t kNumLayerWeights = 14;

struct LayerParts {
  std::array<std::vector<WeightPart>, kNumLayerWeights> parts;  // by mil::LayerWeight
  mil::LayerForm form;
  // The values whose sizes decide the form's factors; -1: there is none.
  std::array<graph::ValueId, mil::kNumNormPlaces> norms = {-1, -1, -1, -1, -1, -1};
  graph::ValueId heads = -1, attention_product = -1;  // the output product's input, and result
  graph::ValueId hidden = -1, ffn_product = -1;       // the same of the second product
  graph::RotaryAttributes rotary;
  graph::AttentionAttributes attention;
  float rms_norm_eps = 0.0F;
  graph::ValueId input = -1;   // what the layer reads
  graph::ValueId output = -1;  // and makes

  // Empty where the layer's form has none.
  const std::vector<WeightPart>& Of(mil::LayerWeight weight) const {
    return parts[static_cast<size_t>(weight)];
  }
};

// The parts of layer `layer` (a stage of the graph). Errors: kUnsupported, naming the value that is
// not made as the shard builders would make it, or the node that they would leave out.
Result<LayerParts> FindLayerParts(const graph::Graph& graph, int64_t layer);

// The norm, the scale and the matrix that end a graph, and are its last stage. Errors:
// kUnsupported.
struct HeadParts {
  const graph::Weight* gain = nullptr;
  const graph::Weight* matrix = nullptr;
  float rms_norm_eps = 0.0F;
  float logit_scale = 1.0F;  // on what the matrix is multiplied with
  float soft_cap = 0.0F;     // of the logits; 0: none
  graph::ValueId norm = -1;  // its result
};
Result<HeadParts> FindHeadParts(const graph::Graph& graph);

// The name under which a shard stores a layer's weight: "w_qkv_3", "g_ffn_norm_3".
std::string StoredName(mil::LayerWeight weight, int64_t layer);

}  // namespace headway::coreml
