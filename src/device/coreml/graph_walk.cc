#include "device/coreml/graph_walk.h"

#include <fmt/format.h>

namespace headway::coreml {

using graph::Graph;
using graph::Node;
using graph::Op;
using graph::ValueId;

Walk::Walk(const Graph& graph) : graph_(graph), maker_(graph.values.size(), nullptr) {
  for (const Node& node : graph.nodes) maker_[static_cast<size_t>(node.output)] = &node;
}

Result<const Node*> Walk::Maker(ValueId value, Op op, const std::string& role) {
  const Node* node = maker_[static_cast<size_t>(value)];
  if (node == nullptr || node->op != op) {
    return Unsupported(value, fmt::format("{} ({})", role, graph::Traits(op).name),
                       node == nullptr ? "an input" : graph::NameOf(*node));
  }
  visited_.insert(node);
  return node;
}

const Node* Walk::MakerOrNull(ValueId value, Op op) {
  const Node* node = maker_[static_cast<size_t>(value)];
  if (node == nullptr || node->op != op) return nullptr;
  visited_.insert(node);
  return node;
}

Result<Walk::Projection> Walk::Project(ValueId value, const std::string& role) {
  Projection found{.num_rows = graph_.values[static_cast<size_t>(value)].channels};
  if (const Node* slice = MakerOrNull(value, Op::kSlice)) {
    found.first_row = std::get<graph::SliceAttributes>(slice->attributes).begin;
    value = slice->inputs[0];
  }
  if (const Node* bias = MakerOrNull(value, Op::kBias)) {
    found.bias_or_null = &WeightOf(*bias);
    value = bias->inputs[0];
  }
  HW_TRY(const Node* linear, Maker(value, Op::kLinear, role));
  if (const float cap = graph::SoftCapOf(*linear); cap != 0.0F)
    return Unsupported(value, role + " without a soft cap", fmt::format("one of {}", cap));
  found.input = linear->inputs[0];
  found.weight = &WeightOf(*linear);
  return found;
}

Result<void> Walk::Same(ValueId value, ValueId expected, const std::string& role) const {
  if (value == expected) return {};
  return Unsupported(value, fmt::format("{}, '{}'", role, NameOf(expected)), "another value");
}

bool Walk::IsOfProduct(ValueId value) const {
  for (const Node* node = maker_[static_cast<size_t>(value)]; node != nullptr;
       node = maker_[static_cast<size_t>(node->inputs[0])]) {
    if (node->op == Op::kLinear) return true;
    if (node->op != Op::kBias && node->op != Op::kRmsNorm && node->op != Op::kScale) return false;
  }
  return false;
}

Result<Walk::Residual> Walk::Sum(ValueId value, const std::string& role) {
  HW_TRY(const Node* sum, Maker(value, Op::kAdd, role));
  const size_t added = IsOfProduct(sum->inputs[0]) ? 0 : 1;
  return Residual{.carried = sum->inputs[1 - added], .added = sum->inputs[added]};
}

Result<void> Walk::AllVisited(int64_t stage) const {
  for (const Node& node : graph_.nodes) {
    if (node.stage == stage && visited_.count(&node) == 0)
      return Unsupported(node.output, "no other op", graph::NameOf(node));
  }
  return {};
}

tl::unexpected<Error> Walk::Unsupported(ValueId value, const std::string& expected,
                                        const std::string& found) const {
  return Fail(ErrorCode::kUnsupported, fmt::format("coreml: value '{}': expected {}, found {}",
                                                   NameOf(value), expected, found));
}

}  // namespace headway::coreml
