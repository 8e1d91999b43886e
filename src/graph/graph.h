#pragma once

// The typed graph between a model file and the backends: a flat list of nodes in topological order.
// Every value is a matrix [T, channels] of f32 (or token ids), T being the number of tokens of a
// step. Weights are named, never owned. A Graph is a value. Verify() runs after construction, after
// every cut and after reading.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/checked_size.h"
#include "base/result.h"
#include "tensor/data_type.h"
#include "tensor/tensor_view.h"

namespace headway::graph {

using ValueId = int32_t;
using WeightId = int32_t;

enum class Op : uint8_t {
  kEmbedding,  // ids [T] x table [V, D] -> [T, D]
  kRmsNorm,  // x [T, D] x gain [group] -> [T, D]: each group of a row by itself, D / group of them
  kLinear,   // x [T, D] x w [N, D] -> [T, N], soft-capped where the attributes say so
  kBias,     // x [T, N] + vector [N]
  kSlice,    // x [T, N] -> channels [begin, end)
  kRotary,   // x [T, H * d] -> rotated in place of the first n_rot channels of each head
  kAttention,  // q [T, H * d], k, v [T, Hk * d] -> [T, H * d]; appends k, v to the cache of `layer`
               // first
  kGate,       // gate, up -> activation(gate) * up
  kAdd,        // x, y -> x + y
  kScale,      // x -> x * factor
  kTop1,       // x [T, N] -> [T, 2]: the largest channel and its number, the lowest among equals
  kBlockMax,  // x [T, N] -> the largest of every `rows` channels in a row, the last ones may be few
};

inline constexpr int kNumOps = 12;

// Shazeer 2020 (GLU variants improve transformer); GELU by its tanh form, Hendrycks and Gimpel 2016.
enum class Activation : uint8_t {
  kSilu,      // x / (1 + exp(-x))
  kGeluTanh,  // x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
};

// Attributes by op. kNoAttributes for the elementwise ones.
struct RmsNormAttributes {
  float eps = 0.0F;
  int64_t group = 0;  // channels that are normalised together, as many as the gain has; 0: the row
  friend bool operator==(const RmsNormAttributes&, const RmsNormAttributes&) = default;
};
// A cap c > 0 makes cap * tanh(x / cap) of a value x: Gemma Team 2024 (arXiv:2408.00118), section 2.
struct LinearAttributes {
  float soft_cap = 0.0F;  // of the products, which are logits
  friend bool operator==(const LinearAttributes&, const LinearAttributes&) = default;
};
struct SliceAttributes {
  int64_t begin = 0;
  int64_t end = 0;
  friend bool operator==(const SliceAttributes&, const SliceAttributes&) = default;
};
struct RotaryAttributes {
  bool pairs = false;  // false: halves (i, i + n_rot / 2); true: adjacent (2i, 2i + 1)
  int64_t n_rot = 0;
  int64_t head_dim = 0;
  int64_t table = 0;  // which of the step's tables of cos and sin: layers may turn differently
  friend bool operator==(const RotaryAttributes&, const RotaryAttributes&) = default;
};
struct AttentionAttributes {
  int64_t layer = 0;  // which cache; counted over the whole model
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t window = 0;  // positions a token sees, itself included; 0: all
  float scale = 0.0F;
  float soft_cap = 0.0F;  // of scaled scores, before the mask; 0: none
  friend bool operator==(const AttentionAttributes&, const AttentionAttributes&) = default;
};
struct GateAttributes {
  Activation activation = Activation::kSilu;
  friend bool operator==(const GateAttributes&, const GateAttributes&) = default;
};
struct ScaleAttributes {
  float factor = 1.0F;
  friend bool operator==(const ScaleAttributes&, const ScaleAttributes&) = default;
};
struct BlockMaxAttributes {
  int64_t rows = 0;
  friend bool operator==(const BlockMaxAttributes&, const BlockMaxAttributes&) = default;
};
inline constexpr int64_t kMaxRotaryTables = 16;

using Attributes = std::variant<std::monostate, RmsNormAttributes, LinearAttributes,
                                SliceAttributes, RotaryAttributes, AttentionAttributes,
                                GateAttributes, ScaleAttributes, BlockMaxAttributes>;

struct Value {
  std::string name;      // unique; [A-Za-z0-9_.]+
  bool is_ids = false;   // token ids [T] instead of f32 [T, channels]
  int64_t channels = 0;  // 1 for ids
  friend bool operator==(const Value&, const Value&) = default;
};

// A weight that the graph reads: rows [row_begin, row_begin + shape rows) of the tensor `name` of
// the model file.
struct Weight {
  std::string name;
  DataType type = DataType::kF32;
  Shape shape;  // [N, D] matrices, [D] vectors
  int64_t row_begin = 0;
  friend bool operator==(const Weight&, const Weight&) = default;
};

struct Node {
  Op op = Op::kAdd;
  std::vector<ValueId> inputs;
  std::vector<WeightId> weights;
  ValueId output = -1;
  Attributes attributes;
  // -1: embedding; l: transformer layer l; num_layers: head. Partitioning cuts between stages.
  int64_t stage = 0;
  friend bool operator==(const Node&, const Node&) = default;
};

struct Graph {
  std::vector<Value> values;
  std::vector<Weight> weights;
  std::vector<Node> nodes;      // topological order
  std::vector<ValueId> inputs;  // made by nobody in here
  std::vector<ValueId> outputs;
  friend bool operator==(const Graph&, const Graph&) = default;
};

// One row per op: its name in text form, how many inputs and weights it takes, and what it does.
struct OpTraits {
  const char* name;
  int num_inputs;
  int num_weights;
  const char* doc;
};
const OpTraits& Traits(Op op);
// The node's op in text form and in messages: a gate is called by its activation, "swiglu" or
// "geglu_tanh".
const char* NameOf(const Node& node);

// The soft cap of a linear; 0: none.
float SoftCapOf(const Node& linear);

// Checks everything a backend relies on: indices, SSA order, channel arithmetic, weight shapes and
// types, attributes. Errors: kInvalidInput naming the node.
Result<void> Verify(const Graph& graph);

// Bytes of a weight in its stored form.
CheckedSize BytesOf(const Weight& weight);

// Bytes of all weights in their stored form (what a decode step reads).
int64_t WeightBytes(const Graph& graph);

}  // namespace headway::graph
