#include "grammar/schema_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace headway::grammar {
namespace {

// Rules of one grammar; each is at least a state.
constexpr size_t kMostGoals = 50000;

bool DemandNothing(const Demands& demands) {
  return std::all_of(demands.begin(), demands.end(), [](const Demand* demand) {
    return demand->kind == Demand::Kind::kEvaluatedNames ||
           demand->kind == Demand::Kind::kEvaluatedItems;
  });
}

bool IsEveryScalar(const ScalarSet& scalars) {
  const ScalarSet all = AllScalars();
  return scalars.has_null && scalars.has_true && scalars.has_false &&
         scalars.numbers == all.numbers && scalars.strings == all.strings;
}

}  // namespace

std::string SchemaRules::RuleOf(Goal goal) {
  return goal == kAnything ? "value" : fmt::format("schema {}", goal);
}

Result<Rules> SchemaRules::Run(Goal root) {
  reached_.push_back(root);
  for (size_t i = 0; i < reached_.size(); ++i) {
    if (reached_.size() > kMostGoals)
      return Fail(ErrorCode::kUnsupported, "expected fewer schemas, found too many");
    HW_TRY_VOID(Collect(reached_[i]));
  }
  FindProductive();
  if (!IsProductive(root)) {
    return Fail(ErrorCode::kUnsupported,
                "#: expected a schema that some finite text fits, found one that none does");
  }
  for (const Goal goal : reached_) {
    if (goal == kAnything || !IsProductive(goal)) continue;
    HW_TRY(Expression body, Body(parts_[Index(goal)]));
    rules_[RuleOf(goal)] = std::move(body);
  }
  rules_["root"] = options_.any_spelling
                       ? Sequence({text_.Space(), Rule(RuleOf(root)), text_.Space()})
                       : Rule(RuleOf(root));
  return std::move(rules_);
}

Result<void> SchemaRules::Collect(Goal goal) {
  if (goal == kNothing || goal == kAnything) {
    parts_.resize(std::max(parts_.size(), Index(goal) + 1));
    return {};
  }
  HW_TRY(const Shape* shape, goals_->ShapeOf(goal));
  Parts parts;
  parts.shape = shape;
  parts.any_object = std::any_of(shape->objects.begin(), shape->objects.end(), DemandNothing);
  parts.any_array = std::any_of(shape->arrays.begin(), shape->arrays.end(), DemandNothing);
  for (const Demands& demands : shape->objects) {
    if (parts.any_object) break;
    auto graph = ObjectGraph(demands, options_, goals_);
    if (!graph) return goals_->Placed(graph.error(), goal);
    parts.graphs.push_back(*std::move(graph));
  }
  for (const Demands& demands : shape->arrays) {
    if (parts.any_array) break;
    auto graph = ArrayGraph(demands, goals_);
    if (!graph) return goals_->Placed(graph.error(), goal);
    parts.graphs.push_back(*std::move(graph));
  }
  parts_.resize(std::max(parts_.size(), static_cast<size_t>(goals_->Count())));
  is_reached_.resize(parts_.size());
  is_reached_[Index(reached_.front())] = true;
  for (const ValueGraph& graph : parts.graphs) {
    for (const ValueGraph::State& state : graph.states) {
      for (const ValueGraph::Edge& edge : state.edges) {
        if (edge.skips || is_reached_[Index(edge.value)]) continue;
        is_reached_[Index(edge.value)] = true;
        reached_.push_back(edge.value);
      }
    }
  }
  parts_[Index(goal)] = std::move(parts);
  return {};
}

std::vector<bool> SchemaRules::StatesThatEnd(const ValueGraph& graph) const {
  std::vector<std::vector<int32_t>> before(graph.states.size());
  std::vector<bool> ends(graph.states.size());
  for (size_t s = 0; s < graph.states.size(); ++s) {
    for (const ValueGraph::Edge& edge : graph.states[s].edges) {
      if (edge.skips || IsProductive(edge.value))
        before[static_cast<size_t>(edge.target)].push_back(static_cast<int32_t>(s));
    }
    ends[s] = graph.states[s].ends;
  }
  return ReachAnEnd(before, std::move(ends));
}

// The least fixed point: a goal is productive when one of its values needs productive ones only.
void SchemaRules::FindProductive() {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = reached_.size(); i-- > 0;) {
      if (reached_[i] == kAnything || reached_[i] == kNothing) continue;
      Parts& parts = parts_[Index(reached_[i])];
      if (parts.is_productive) continue;
      parts.is_productive = !parts.shape->scalars.IsEmpty() || parts.any_object || parts.any_array;
      for (const ValueGraph& graph : parts.graphs)
        parts.is_productive = parts.is_productive || StatesThatEnd(graph)[0];
      changed = changed || parts.is_productive;
    }
  }
}

// The objects, or arrays, that a schema speaks of. One that has "properties" and no "type" allows
// every number, too; a text that is written is of the kind that was meant.
Result<std::vector<Expression>> SchemaRules::SpokenOf(const Parts& parts) {
  std::vector<Expression> ways;
  if (options_.any_spelling || !IsEveryScalar(parts.shape->scalars)) return ways;
  for (const ValueGraph& graph : parts.graphs) {
    if (!StatesThatEnd(graph)[0]) continue;
    HW_TRY(Expression way, OfGraph(graph));
    ways.push_back(std::move(way));
  }
  return ways;
}

Result<Expression> SchemaRules::Body(const Parts& parts) {
  HW_TRY(std::vector<Expression> ways, SpokenOf(parts));
  if (!ways.empty()) return Choice(std::move(ways));
  const ScalarSet& scalars = parts.shape->scalars;
  if (scalars.has_null) ways.push_back(Text("null"));
  if (scalars.has_true) ways.push_back(Text("true"));
  if (scalars.has_false) ways.push_back(Text("false"));
  if (!scalars.numbers->IsEmpty()) {
    HW_TRY(Expression number, text_.Number(scalars.numbers));
    ways.push_back(std::move(number));
  }
  if (!scalars.strings->IsEmpty()) ways.push_back(text_.String(scalars.strings));
  if (parts.any_object) ways.push_back(Rule("object"));
  if (parts.any_array) ways.push_back(Rule("array"));
  for (const ValueGraph& graph : parts.graphs) {
    HW_TRY(Expression way, OfGraph(graph));
    ways.push_back(std::move(way));
  }
  return Choice(std::move(ways));
}

Result<Expression> SchemaRules::OfGraph(const ValueGraph& graph) {
  const std::vector<bool> ends = StatesThatEnd(graph);
  if (!ends[0]) return Choice({});
  std::vector<int32_t> numbers(graph.states.size());
  int32_t next = 0;
  for (size_t s = 0; s < graph.states.size(); ++s) {
    if (ends[s]) numbers[s] = next++;
  }
  Machine machine;
  for (size_t s = 0; s < graph.states.size(); ++s) {
    if (!ends[s]) continue;
    Machine::State state;
    state.ends = graph.states[s].ends;
    for (const ValueGraph::Edge& edge : graph.states[s].edges) {
      const auto target = static_cast<size_t>(edge.target);
      if (!ends[target] || (!edge.skips && !IsProductive(edge.value))) continue;
      HW_TRY(Expression member, Member(graph, edge));
      state.edges.push_back({std::move(member), numbers[target]});
    }
    machine.states.push_back(std::move(state));
  }
  return Sequence({Text(graph.is_object ? "{" : "["), text_.Space(), OfMachine(std::move(machine)),
                   Text(graph.is_object ? "}" : "]")});
}

Result<Expression> SchemaRules::Member(const ValueGraph& graph, const ValueGraph::Edge& edge) {
  if (edge.skips) return Sequence({});
  std::vector<Expression> parts;
  if (!edge.is_first) parts.push_back(text_.Comma());
  if (graph.is_object) {
    parts.push_back(edge.names == nullptr ? text_.Name(edge.name) : text_.String(edge.names));
    parts.push_back(text_.Colon());
  }
  HW_TRY(Expression value, edge.text.empty() ? Result<Expression>(Rule(RuleOf(edge.value)))
                                             : text_.Scalar(edge.text));
  parts.push_back(std::move(value));
  parts.push_back(text_.Space());
  return Sequence(std::move(parts));
}

}  // namespace headway::grammar
