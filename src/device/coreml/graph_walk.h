#pragma once

// Walks a graph from results to inputs along its edges, and refuses what is not there by name.
// Inside this folder only.

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"

namespace headway::coreml {

class Walk {
 public:
  explicit Walk(const graph::Graph& graph);

  // The node that makes `value`, which must be of that op. `role`: what it is to the layer. Errors
  // here and below: kUnsupported, naming the value.
  Result<const graph::Node*> Maker(graph::ValueId value, graph::Op op, const std::string& role);
  // The same where there may be none: null, unless `value` is made by that op.
  const graph::Node* MakerOrNull(graph::ValueId value, graph::Op op);

  // Rows of a linear's matrix, all of them or those that a slice takes of its result.
  struct Projection {
    graph::ValueId input = -1;
    const graph::Weight* weight = nullptr;
    const graph::Weight* bias_or_null = nullptr;  // the same rows of it
    int64_t first_row = 0;
    int64_t num_rows = 0;
  };
  Result<Projection> Project(graph::ValueId value, const std::string& role);

  // A value that must be `expected`, known from elsewhere as `role`.
  Result<void> Same(graph::ValueId value, graph::ValueId expected, const std::string& role) const;

  // The sum that makes `value`: what is carried on, and what is made of a product and added to it.
  struct Residual {
    graph::ValueId carried = -1;
    graph::ValueId added = -1;
  };
  Result<Residual> Sum(graph::ValueId value, const std::string& role);

  // Every node of the stage has been visited: nothing is left that would not be lowered.
  Result<void> AllVisited(int64_t stage) const;

  const graph::Weight& WeightOf(const graph::Node& node) const {
    return graph_.weights[static_cast<size_t>(node.weights.front())];
  }
  const std::string& NameOf(graph::ValueId value) const {
    return graph_.values[static_cast<size_t>(value)].name;
  }
  tl::unexpected<Error> Unsupported(graph::ValueId value, const std::string& expected,
                                    const std::string& found) const;

 private:
  // Whether a value is a product, or one with a bias, normalised or scaled.
  bool IsOfProduct(graph::ValueId value) const;

  const graph::Graph& graph_;
  std::vector<const graph::Node*> maker_;  // by value; null: an input
  std::set<const graph::Node*> visited_;
};

}  // namespace headway::coreml
