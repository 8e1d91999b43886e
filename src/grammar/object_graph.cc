#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "grammar/value_graph.h"

namespace headway::grammar {
namespace {

// Properties without a slot of their own: names that the same schemas speak of.
struct NameClass {
  DfaPointer names;
  std::vector<Atom> atoms;
  bool spoken_of = false;
};

struct NamedProperty {
  std::string name;
  std::vector<Atom> atoms;
  bool is_required = false;
};

class ObjectGraphBuilder {
 public:
  ObjectGraphBuilder(const Demands& demands, const SchemaOptions& options, SchemaGoals* goals)
      : demands_(demands), options_(options), goals_(goals) {}

  Result<ValueGraph> Run() {
    FindNames();
    HW_TRY_VOID(FindClasses());
    for (const Demand* demand : demands_) {
      if (demand->kind == Demand::Kind::kSomeProperty) some_.push_back(demand);
    }
    constexpr size_t kMostSome = 4;
    const DemandedCount count = CountDemanded(demands_, Demand::Kind::kPropertyCount);
    least_ = count.least;
    most_ = count.most;
    // What is counted no further needs no states; whether something came before decides a comma.
    counted_ = std::max<int64_t>({1, least_, most_});
    const auto cells = static_cast<int64_t>(named_.size() + 1) * (counted_ + 1);
    if (some_.size() > kMostSome || cells << some_.size() > kMostGraphStates)
      return Fail(ErrorCode::kUnsupported,
                  "expected fewer properties to count or to find (minProperties, maxProperties, "
                  "not), found too many");
    const bool speaks = !named_.empty() || std::any_of(classes_.begin(), classes_.end(),
                                                       [](const auto& c) { return c.spoken_of; });
    if (speaks && !options_.unnamed_properties) {
      ValueGraph closed = Build(false);
      if (CanEnd(closed)) return closed;
    }
    return Build(true);
  }

 private:
  void FindNames() {
    std::set<std::string_view> seen;
    std::set<std::string_view> required;
    for (const Demand* demand : demands_) {
      if (demand->kind == Demand::Kind::kRequired) required.insert(demand->name);
    }
    for (const Demand::Kind kind : {Demand::Kind::kProperty, Demand::Kind::kRequired}) {
      for (const Demand* demand : demands_) {
        if (demand->kind == kind && seen.insert(demand->name).second)
          named_.push_back({demand->name, PropertyAtoms(demands_, demand->name),
                            required.count(demand->name) > 0});
      }
    }
  }

  // The other names, split by each demand into those that it speaks of and those that it does not.
  Result<void> FindClasses() {
    constexpr size_t kMostClasses = 64;
    std::vector<std::string> names;
    for (const NamedProperty& property : named_) names.push_back(property.name);
    HW_TRY(const DfaPointer others, Combine(AnyText(), Words(names), kWithout));
    classes_.push_back({others, {}, false});
    for (const Demand* demand : demands_) {
      if (demand->kind != Demand::Kind::kOthers) continue;
      std::vector<NameClass> split;
      for (const NameClass& each : classes_) {
        HW_TRY(const DfaPointer in, Combine(each.names, demand->names, kAnd));
        HW_TRY(const DfaPointer out, Combine(each.names, demand->names, kWithout));
        if (!out->IsEmpty()) split.push_back({out, each.atoms, each.spoken_of});
        if (in->IsEmpty()) continue;
        std::vector<Atom> atoms = each.atoms;
        atoms.push_back(demand->value);
        split.push_back({in, std::move(atoms), each.spoken_of || !(demand->value == kNoValue)});
      }
      classes_ = std::move(split);
      if (classes_.size() > kMostClasses)
        return Fail(ErrorCode::kUnsupported,
                    "expected fewer 'patternProperties' that overlap, found too many");
    }
    return {};
  }

  int32_t Cell(size_t property, int64_t count, size_t found) const {
    const int64_t cell = (static_cast<int64_t>(property) * (counted_ + 1) + count) << some_.size();
    return static_cast<int32_t>(cell) + static_cast<int32_t>(found);
  }

  ValueGraph Build(bool with_unnamed) {
    ValueGraph graph;
    graph.is_object = true;
    const size_t everything = (size_t{1} << some_.size()) - 1;
    for (size_t property = 0; property <= named_.size(); ++property) {
      for (int64_t count = 0; count <= counted_; ++count) {
        for (size_t found = 0; found <= everything; ++found) {
          graph.states.emplace_back();
          ValueGraph::State& state = graph.states.back();
          if (property < named_.size()) {
            AddNamed(property, count, found, &state);
            continue;
          }
          state.ends = count >= least_ && found == everything;
          for (const NameClass& each : classes_) {
            if (!with_unnamed && !each.spoken_of) continue;
            ValueGraph::Edge edge;
            edge.names = each.names;
            AddMember(property, count, found, edge, each.atoms, &state);
          }
        }
      }
    }
    return graph;
  }

  void AddNamed(size_t property, int64_t count, size_t found, ValueGraph::State* state) {
    const NamedProperty& named = named_[property];
    if (!named.is_required) {
      ValueGraph::Edge skip;
      skip.skips = true;
      skip.target = Cell(property + 1, count, found);
      state->edges.push_back(std::move(skip));
    }
    ValueGraph::Edge edge;
    edge.name = named.name;
    AddMember(property, count, found, edge, named.atoms, state);
  }

  // One more member, which may be what some of the "some property" demands look for.
  void AddMember(size_t property, int64_t count, size_t found, ValueGraph::Edge edge,
                 const std::vector<Atom>& atoms, ValueGraph::State* state) {
    if (most_ != Expression::kNoLimit && count >= most_) return;
    const size_t next = std::min(property + 1, named_.size());
    const DfaPointer names = edge.names;
    for (size_t finds = 0; finds < size_t{1} << some_.size(); ++finds) {
      if ((finds & found) != 0) continue;
      std::vector<Atom> all = atoms;
      bool fits = true;
      for (size_t i = 0; i < some_.size(); ++i) {
        if ((finds >> i & 1) == 0) continue;
        all.push_back(some_[i]->value);
        if (names == nullptr) {
          fits = fits && some_[i]->names->Accepts(edge.name);
          continue;
        }
        const auto both = Combine(edge.names, some_[i]->names, kAnd);
        fits = fits && both && !(*both)->IsEmpty();
        if (fits) edge.names = *both;
      }
      edge.value = goals_->Number(std::move(all));
      edge.is_first = count == 0;
      edge.target = Cell(next, std::min(count + 1, counted_), found | finds);
      if (fits && edge.value != kNothing) state->edges.push_back(edge);
      edge.names = names;
    }
  }

  static bool CanEnd(const ValueGraph& graph) {
    std::vector<bool> seen(graph.states.size());
    std::vector<int32_t> work = {0};
    seen[0] = true;
    while (!work.empty()) {
      const ValueGraph::State& state = graph.states[static_cast<size_t>(work.back())];
      work.pop_back();
      if (state.ends) return true;
      for (const ValueGraph::Edge& edge : state.edges) {
        if (seen[static_cast<size_t>(edge.target)]) continue;
        seen[static_cast<size_t>(edge.target)] = true;
        work.push_back(edge.target);
      }
    }
    return false;
  }

  const Demands& demands_;
  const SchemaOptions& options_;
  SchemaGoals* const goals_;
  std::vector<NamedProperty> named_;
  std::vector<NameClass> classes_;
  std::vector<const Demand*> some_;
  int64_t least_ = 0;
  int64_t most_ = Expression::kNoLimit;
  int64_t counted_ = 1;
};

}  // namespace

Result<ValueGraph> ObjectGraph(const Demands& demands, const SchemaOptions& options,
                               SchemaGoals* goals) {
  return ObjectGraphBuilder(demands, options, goals).Run();
}

}  // namespace headway::grammar
