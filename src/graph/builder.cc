#include "graph/builder.h"

namespace headway::graph {

ValueId Builder::NewValue(const std::string& name, bool is_ids, int64_t channels) {
  graph_.values.push_back({.name = name, .is_ids = is_ids, .channels = channels});
  return static_cast<ValueId>(graph_.values.size() - 1);
}

ValueId Builder::AddNode(const std::string& name, Op op, std::vector<ValueId> inputs,
                         std::vector<WeightId> weights, Attributes attributes, int64_t channels) {
  const ValueId output = NewValue(name, false, channels);
  graph_.nodes.push_back({.op = op,
                          .inputs = std::move(inputs),
                          .weights = std::move(weights),
                          .output = output,
                          .attributes = attributes,
                          .stage = stage_});
  return output;
}

ValueId Builder::TokenIds(const std::string& name) {
  const ValueId id = NewValue(name, true, 1);
  graph_.inputs.push_back(id);
  return id;
}

ValueId Builder::Input(const std::string& name, int64_t channels) {
  const ValueId id = NewValue(name, false, channels);
  graph_.inputs.push_back(id);
  return id;
}

WeightId Builder::AddWeight(Weight weight) {
  graph_.weights.push_back(std::move(weight));
  return static_cast<WeightId>(graph_.weights.size() - 1);
}

ValueId Builder::Embedding(const std::string& name, ValueId ids, WeightId table) {
  return AddNode(name, Op::kEmbedding, {ids}, {table}, {}, WeightOf(table).shape.Columns());
}

ValueId Builder::RmsNorm(const std::string& name, ValueId x, WeightId gain, float eps) {
  const int64_t group = WeightOf(gain).shape.Columns();
  return AddNode(name, Op::kRmsNorm, {x}, {gain},
                 RmsNormAttributes{.eps = eps, .group = group == Channels(x) ? 0 : group},
                 Channels(x));
}

ValueId Builder::Linear(const std::string& name, ValueId x, WeightId weight, float soft_cap) {
  Attributes attributes;
  if (soft_cap != 0.0F) attributes = LinearAttributes{.soft_cap = soft_cap};
  return AddNode(name, Op::kLinear, {x}, {weight}, attributes, WeightOf(weight).shape[0]);
}

ValueId Builder::Bias(const std::string& name, ValueId x, WeightId vector) {
  return AddNode(name, Op::kBias, {x}, {vector}, {}, Channels(x));
}

ValueId Builder::Slice(const std::string& name, ValueId x, int64_t begin, int64_t end) {
  return AddNode(name, Op::kSlice, {x}, {}, SliceAttributes{.begin = begin, .end = end},
                 end - begin);
}

ValueId Builder::Rotary(const std::string& name, ValueId x, RotaryAttributes attributes) {
  return AddNode(name, Op::kRotary, {x}, {}, attributes, Channels(x));
}

ValueId Builder::Attention(const std::string& name, ValueId q, ValueId k, ValueId v,
                           AttentionAttributes attributes) {
  return AddNode(name, Op::kAttention, {q, k, v}, {}, attributes, Channels(q));
}

ValueId Builder::Gate(const std::string& name, Activation activation, ValueId gate, ValueId up) {
  return AddNode(name, Op::kGate, {gate, up}, {}, GateAttributes{.activation = activation},
                 Channels(gate));
}

ValueId Builder::Add(const std::string& name, ValueId x, ValueId y) {
  return AddNode(name, Op::kAdd, {x, y}, {}, {}, Channels(x));
}

ValueId Builder::Scale(const std::string& name, ValueId x, float factor) {
  return AddNode(name, Op::kScale, {x}, {}, ScaleAttributes{.factor = factor}, Channels(x));
}

ValueId Builder::Top1(const std::string& name, ValueId x) {
  return AddNode(name, Op::kTop1, {x}, {}, {}, 2);
}

ValueId Builder::BlockMax(const std::string& name, ValueId x, int64_t rows) {
  return AddNode(name, Op::kBlockMax, {x}, {}, BlockMaxAttributes{.rows = rows},
                 (Channels(x) + rows - 1) / rows);
}

Result<Graph> Builder::Finish() {
  Graph graph = std::exchange(graph_, Graph{});
  HW_TRY_VOID(Verify(graph));
  return graph;
}

}  // namespace headway::graph
