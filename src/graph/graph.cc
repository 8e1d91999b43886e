#include "graph/graph.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <set>

#include "base/check.h"

namespace headway::graph {
namespace {

constexpr std::array<OpTraits, kNumOps> kTraits = {{
    {"embedding", 1, 1, "row of the table for each token id"},
    {"rms_norm", 1, 1, "x / rms(x) * gain"},
    {"linear", 1, 1, "x times the transposed weight matrix"},
    {"bias", 1, 1, "x plus a vector, token by token"},
    {"slice", 1, 0, "channels [begin, end)"},
    {"rotary", 1, 0, "rotary position embedding on the first n_rot channels of each head"},
    {"attention", 3, 0, "causal grouped-query attention over the layer's cache"},
    {"gate", 2, 0, "activation(gate) * up"},
    {"add", 2, 0, "elementwise sum"},
    {"scale", 1, 0, "x * factor"},
    {"top1", 1, 0, "the largest channel and its number"},
    {"block_max", 1, 0, "the largest of every `rows` channels"},
}};

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  Result<void> Run() {
    HW_TRY_VOID(CheckNames());
    defined_.assign(graph_.values.size(), false);
    for (const ValueId id : graph_.inputs) {
      if (!InRange(id)) return Bad("graph input", "a value of the graph", fmt::format("id {}", id));
      defined_[static_cast<size_t>(id)] = true;
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) HW_TRY_VOID(CheckNode(graph_.nodes[i], i));
    for (const ValueId id : graph_.outputs) {
      if (!InRange(id) || !defined_[static_cast<size_t>(id)]) {
        return Bad("graph output", "a value that some node makes", fmt::format("id {}", id));
      }
    }
    return {};
  }

 private:
  static tl::unexpected<Error> Bad(const std::string& where, const std::string& expected,
                                   const std::string& found) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("graph: {}: expected {}, found {}", where, expected, found));
  }
  bool InRange(ValueId id) const {
    return id >= 0 && static_cast<size_t>(id) < graph_.values.size();
  }
  const Value& ValueOf(ValueId id) const { return graph_.values[static_cast<size_t>(id)]; }
  int64_t Channels(const Node& node, size_t input) const {
    return ValueOf(node.inputs[input]).channels;
  }

  Result<void> CheckNames() const {
    std::set<std::string> seen;
    for (const Value& value : graph_.values) {
      if (value.name.empty() || !seen.insert(value.name).second) {
        return Bad("values", "unique names", fmt::format("'{}' again", value.name));
      }
      if (value.channels < 1 || value.channels > (int64_t{1} << 32)) {
        return Bad(value.name, "1 to 2^32 channels", fmt::format("{}", value.channels));
      }
    }
    for (const Weight& weight : graph_.weights) {
      const int64_t block = headway::Traits(weight.type).block_elements;
      if (weight.shape.Rank() < 1 || weight.shape.Rank() > 2 || !IsWeightType(weight.type) ||
          weight.shape.Elements() < 1 || weight.shape.Columns() % block != 0 ||
          weight.row_begin < 0 || !BytesOf(weight).Value()) {
        return Bad(weight.name, "a vector or matrix of a weight type with whole blocks",
                   fmt::format("{} {}", headway::Traits(weight.type).name, ToString(weight.shape)));
      }
    }
    return {};
  }

  Result<void> CheckNode(const Node& node, size_t index) {
    const OpTraits& traits = Traits(node.op);
    const std::string where = fmt::format("node {} ({})", index, NameOf(node));
    if (static_cast<int>(node.inputs.size()) != traits.num_inputs ||
        static_cast<int>(node.weights.size()) != traits.num_weights) {
      return Bad(where,
                 fmt::format("{} inputs and {} weights", traits.num_inputs, traits.num_weights),
                 fmt::format("{} and {}", node.inputs.size(), node.weights.size()));
    }
    for (const ValueId id : node.inputs) {
      if (!InRange(id) || !defined_[static_cast<size_t>(id)]) {
        return Bad(where, "inputs made before", fmt::format("value {}", id));
      }
      if (ValueOf(id).is_ids != (node.op == Op::kEmbedding))
        return Bad(where, "f32 inputs", "token ids");
    }
    for (const WeightId id : node.weights) {
      if (id < 0 || static_cast<size_t>(id) >= graph_.weights.size()) {
        return Bad(where, "a weight of the graph", fmt::format("id {}", id));
      }
    }
    if (!InRange(node.output) || defined_[static_cast<size_t>(node.output)]) {
      return Bad(where, "a value not made before", fmt::format("value {}", node.output));
    }
    defined_[static_cast<size_t>(node.output)] = true;
    if (ValueOf(node.output).is_ids) return Bad(where, "an f32 output", "token ids");
    const int64_t expected = ExpectedChannels(node);
    if (expected < 0) return Bad(where, "matching shapes and attributes", Describe(node));
    if (ValueOf(node.output).channels != expected) {
      return Bad(where, fmt::format("{} output channels", expected),
                 fmt::format("{}", ValueOf(node.output).channels));
    }
    return {};
  }

  std::string Describe(const Node& node) const {
    std::string text;
    for (const ValueId id : node.inputs)
      text += fmt::format(" {}:{}", ValueOf(id).name, ValueOf(id).channels);
    for (const WeightId id : node.weights) {
      const Weight& weight = graph_.weights[static_cast<size_t>(id)];
      text += fmt::format(" {}:{}", weight.name, ToString(weight.shape));
    }
    return text.empty() ? text : text.substr(1);
  }

  // The output's channels by the op's rule, or -1 when inputs, weights or attributes do not fit.
  int64_t ExpectedChannels(const Node& node) const {
    const Weight* weight =
        node.weights.empty() ? nullptr : &graph_.weights[static_cast<size_t>(node.weights[0])];
    switch (node.op) {
      case Op::kEmbedding:
        return weight->shape.Rank() == 2 ? weight->shape.Columns() : -1;
      case Op::kRmsNorm: {
        const auto* norm = std::get_if<RmsNormAttributes>(&node.attributes);
        if (norm == nullptr || norm->group < 0) return -1;
        const int64_t group = norm->group == 0 ? Channels(node, 0) : norm->group;
        const bool fits = weight->shape == Shape{group} && weight->type == DataType::kF32 &&
                          Channels(node, 0) % group == 0;
        return fits ? Channels(node, 0) : -1;
      }
      case Op::kLinear:
        return weight->shape.Rank() == 2 && weight->shape.Columns() == Channels(node, 0) &&
                       IsSoftCap(SoftCapOf(node))
                   ? weight->shape[0]
                   : -1;
      case Op::kBias:
        return weight->shape == Shape{Channels(node, 0)} && weight->type == DataType::kF32
                   ? Channels(node, 0)
                   : -1;
      case Op::kSlice: {
        const auto* slice = std::get_if<SliceAttributes>(&node.attributes);
        const bool fits = slice != nullptr && slice->begin >= 0 && slice->begin < slice->end &&
                          slice->end <= Channels(node, 0);
        return fits ? slice->end - slice->begin : -1;
      }
      case Op::kRotary: {
        const auto* rotary = std::get_if<RotaryAttributes>(&node.attributes);
        const bool fits = rotary != nullptr && rotary->head_dim > 0 && rotary->n_rot > 0 &&
                          rotary->n_rot % 2 == 0 && rotary->n_rot <= rotary->head_dim &&
                          rotary->table >= 0 && rotary->table < kMaxRotaryTables &&
                          Channels(node, 0) % rotary->head_dim == 0;
        return fits ? Channels(node, 0) : -1;
      }
      case Op::kAttention:
        return AttentionChannels(node);
      case Op::kTop1:
        return 2;
      case Op::kBlockMax: {
        const auto* blocks = std::get_if<BlockMaxAttributes>(&node.attributes);
        if (blocks == nullptr || blocks->rows < 1 || blocks->rows > (int64_t{1} << 32)) return -1;
        return (Channels(node, 0) + blocks->rows - 1) / blocks->rows;
      }
      case Op::kGate:
        if (!std::holds_alternative<GateAttributes>(node.attributes)) return -1;
        return Channels(node, 0) == Channels(node, 1) ? Channels(node, 0) : -1;
      case Op::kAdd:
        return Channels(node, 0) == Channels(node, 1) ? Channels(node, 0) : -1;
      case Op::kScale: {
        const auto* scale = std::get_if<ScaleAttributes>(&node.attributes);
        return scale != nullptr && std::isfinite(scale->factor) ? Channels(node, 0) : -1;
      }
    }
    return -1;
  }

  static bool IsSoftCap(float cap) { return cap >= 0.0F && std::isfinite(cap); }

  int64_t AttentionChannels(const Node& node) const {
    const auto* a = std::get_if<AttentionAttributes>(&node.attributes);
    if (a == nullptr || a->head_dim < 1 || a->num_kv_heads < 1 || a->num_heads < 1 || a->layer < 0)
      return -1;
    if (a->num_heads % a->num_kv_heads != 0 || a->head_dim > 65536 || a->num_heads > 65536 ||
        !IsSoftCap(a->soft_cap))
      return -1;
    const int64_t kv_channels = a->num_kv_heads * a->head_dim;
    const bool fits = Channels(node, 0) == a->num_heads * a->head_dim &&
                      Channels(node, 1) == kv_channels && Channels(node, 2) == kv_channels;
    return fits ? Channels(node, 0) : -1;
  }

  const Graph& graph_;
  std::vector<bool> defined_;
};

}  // namespace

const OpTraits& Traits(Op op) { return kTraits[static_cast<size_t>(op)]; }

const char* NameOf(const Node& node) {
  const auto* gate = std::get_if<GateAttributes>(&node.attributes);
  if (node.op != Op::kGate || gate == nullptr) return Traits(node.op).name;
  switch (gate->activation) {
    case Activation::kSilu:
      return "swiglu";
    case Activation::kGeluTanh:
      break;
  }
  return "geglu_tanh";
}

float SoftCapOf(const Node& linear) {
  const auto* attributes = std::get_if<LinearAttributes>(&linear.attributes);
  return attributes == nullptr ? 0.0F : attributes->soft_cap;
}

Result<void> Verify(const Graph& graph) { return Verifier(graph).Run(); }

CheckedSize BytesOf(const Weight& weight) {
  const DataTypeTraits& traits = headway::Traits(weight.type);
  return CheckedSize(weight.shape.Rows()) *
         CheckedSize(weight.shape.Columns() / traits.block_elements) *
         CheckedSize(traits.block_bytes);
}

int64_t WeightBytes(const Graph& graph) {
  CheckedSize total(uint64_t{0});
  for (const Weight& weight : graph.weights) total = total + BytesOf(weight);
  HW_CHECK(total.Value(), "the weights of a model that is there");
  return static_cast<int64_t>(*total.Value());
}

}  // namespace headway::graph
