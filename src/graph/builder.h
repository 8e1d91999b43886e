#pragma once

// Builds a Graph node by node; the model files read like the forward pass. Shapes that do not fit
// surface in Verify(), which Finish() runs.

#include <string>
#include <utility>

#include "graph/graph.h"

namespace headway::graph {

class Builder {
 public:
  // Nodes added from now on belong to this stage (see Node::stage).
  void SetStage(int64_t stage) { stage_ = stage; }

  ValueId TokenIds(const std::string& name);
  ValueId Input(const std::string& name, int64_t channels);
  WeightId AddWeight(Weight weight);

  ValueId Embedding(const std::string& name, ValueId ids, WeightId table);
  // Over groups of as many channels as the gain has.
  ValueId RmsNorm(const std::string& name, ValueId x, WeightId gain, float eps);
  ValueId Linear(const std::string& name, ValueId x, WeightId weight, float soft_cap = 0.0F);
  ValueId Bias(const std::string& name, ValueId x, WeightId vector);
  ValueId Slice(const std::string& name, ValueId x, int64_t begin, int64_t end);
  ValueId Rotary(const std::string& name, ValueId x, RotaryAttributes attributes);
  ValueId Attention(const std::string& name, ValueId q, ValueId k, ValueId v,
                    AttentionAttributes attributes);
  ValueId Gate(const std::string& name, Activation activation, ValueId gate, ValueId up);
  ValueId Add(const std::string& name, ValueId x, ValueId y);
  ValueId Scale(const std::string& name, ValueId x, float factor);
  ValueId Top1(const std::string& name, ValueId x);
  ValueId BlockMax(const std::string& name, ValueId x, int64_t rows);

  int64_t Channels(ValueId value) const {
    return graph_.values[static_cast<size_t>(value)].channels;
  }

  void Output(ValueId value) { graph_.outputs.push_back(value); }
  // The graph, verified. The builder is empty afterwards.
  Result<Graph> Finish();

 private:
  ValueId NewValue(const std::string& name, bool is_ids, int64_t channels);
  ValueId AddNode(const std::string& name, Op op, std::vector<ValueId> inputs,
                  std::vector<WeightId> weights, Attributes attributes, int64_t channels);
  const Weight& WeightOf(WeightId id) const { return graph_.weights[static_cast<size_t>(id)]; }

  Graph graph_;
  int64_t stage_ = 0;
};

}  // namespace headway::graph
