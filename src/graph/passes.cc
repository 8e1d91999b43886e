#include "graph/passes.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace headway::graph {
namespace {

constexpr std::array<Pass, 2> kDefaultPasses = {
    {{"fuse_swiglu", FuseSwiGlu}, {"remove_dead", RemoveDead}}};

std::vector<int> CountUses(const Graph& graph) {
  std::vector<int> uses(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (const ValueId id : node.inputs) ++uses[static_cast<size_t>(id)];
  }
  for (const ValueId id : graph.outputs) ++uses[static_cast<size_t>(id)];
  return uses;
}

// Keeps the entries marked in `keep`, in order; returns old index -> new index (-1 when dropped).
template <class T>
std::vector<int32_t> Compact(std::vector<T>* items, const std::vector<bool>& keep) {
  std::vector<int32_t> renumbered(items->size(), -1);
  std::vector<T> kept;
  for (size_t i = 0; i < items->size(); ++i) {
    if (!keep[i]) continue;
    renumbered[i] = static_cast<int32_t>(kept.size());
    kept.push_back(std::move((*items)[i]));
  }
  *items = std::move(kept);
  return renumbered;
}

}  // namespace

Graph FuseSwiGlu(Graph graph) {
  const std::vector<int> uses = CountUses(graph);
  for (Node& mul : graph.nodes) {
    if (mul.op != Op::kMul) continue;
    const auto silu = std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
      return node.op == Op::kSilu && node.output == mul.inputs[0];
    });
    if (silu == graph.nodes.end() || uses[static_cast<size_t>(silu->output)] != 1) continue;
    mul.op = Op::kSwiGlu;
    mul.inputs[0] = silu->inputs[0];
  }
  return RemoveDead(std::move(graph));
}

Graph RemoveDead(Graph graph) {
  std::vector<bool> live(graph.values.size(), false);
  for (const ValueId id : graph.outputs) live[static_cast<size_t>(id)] = true;
  std::vector<bool> keep_node(graph.nodes.size(), false);
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    keep_node[i] = live[static_cast<size_t>(node.output)];
    if (!keep_node[i]) continue;
    for (const ValueId id : node.inputs) live[static_cast<size_t>(id)] = true;
  }
  for (const ValueId id : graph.inputs) live[static_cast<size_t>(id)] = true;
  std::vector<bool> used_weight(graph.weights.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const WeightId id : graph.nodes[i].weights) {
      if (keep_node[i]) used_weight[static_cast<size_t>(id)] = true;
    }
  }
  Compact(&graph.nodes, keep_node);
  const std::vector<int32_t> value_of = Compact(&graph.values, live);
  const std::vector<int32_t> weight_of = Compact(&graph.weights, used_weight);
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) id = value_of[static_cast<size_t>(id)];
    for (WeightId& id : node.weights) id = weight_of[static_cast<size_t>(id)];
    node.output = value_of[static_cast<size_t>(node.output)];
  }
  for (ValueId& id : graph.inputs) id = value_of[static_cast<size_t>(id)];
  for (ValueId& id : graph.outputs) id = value_of[static_cast<size_t>(id)];
  return graph;
}

std::span<const Pass> DefaultPasses() { return kDefaultPasses; }

Result<Graph> RunPasses(Graph graph, std::span<const Pass> passes) {
  for (const Pass& pass : passes) {
    graph = pass.run(std::move(graph));
    const Result<void> verified = Verify(graph);
    if (!verified) return Prefixed(verified.error(), "after pass " + std::string(pass.name));
  }
  return graph;
}

}  // namespace headway::graph
