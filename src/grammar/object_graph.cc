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

// One property at most, at its place in the order.
struct PropertySlot {
  DfaPointer names;  // of a class's first property; null: `name`
  std::string name;
  std::vector<Atom> atoms;
  bool is_required = false;
  bool spoken_of = true;
};

// A member is slots, then others in any number and order, whose names may repeat each other: no
// grammar can compare them. A reader keeps one of the properties with a name, the last by most. So
// what repeated names could break is written so that they do not: names of a small set have slots;
// where properties have to be counted from below, one of each class of the others does, in a slot;
// and where a schema looks for a property by its value, the object's last one is what it finds.
class ObjectGraphBuilder {
 public:
  ObjectGraphBuilder(const Demands& demands, const SchemaOptions& options, SchemaGoals* goals)
      : demands_(demands), options_(options), goals_(goals) {}

  Result<ValueGraph> Run() {
    constexpr size_t kMostSome = 4;
    FindNames();
    HW_TRY_VOID(FindClasses());
    for (const Demand* demand : demands_) {
      if (demand->kind != Demand::Kind::kSomeProperty) continue;
      if (some_.size() < kMostSome && !(demand->value == Atom{}))
        by_value_ |= size_t{1} << some_.size();
      some_.push_back(demand);
    }
    const DemandedCount count = CountDemanded(demands_, Demand::Kind::kPropertyCount);
    least_ = count.least;
    most_ = count.most;
    // What is counted no further needs no states; whether something came before decides a comma.
    counted_ = std::max<int64_t>({1, least_, most_});
    may_repeat_ = options_.any_spelling;
    if (!may_repeat_) HW_TRY_VOID(SetApart());
    places_ = slots_.size() + (may_repeat_ || by_value_ == 0 ? 1 : 2);
    const auto cells = static_cast<int64_t>(places_) * (counted_ + 1);
    if (some_.size() > kMostSome || cells << some_.size() > kMostGraphStates)
      return Fail(ErrorCode::kUnsupported,
                  "expected fewer properties to count or to find (minProperties, maxProperties, "
                  "not), found too many");
    const auto spoken_of = [](const auto& each) { return each.spoken_of; };
    const bool speaks = std::any_of(slots_.begin(), slots_.end(), spoken_of) ||
                        std::any_of(classes_.begin(), classes_.end(), spoken_of);
    if (speaks && !options_.unnamed_properties) {
      ValueGraph closed = Build(false);
      HW_TRY(const bool ends, CanEnd(closed));
      if (ends) return closed;
    }
    ValueGraph graph = Build(true);
    if (may_repeat_) return graph;
    HW_TRY(const bool ends, CanEnd(graph));
    if (ends) return graph;
    may_repeat_ = true;
    HW_TRY(const bool would_end, CanEnd(Build(true)));
    if (!would_end) return graph;  // no object fits, whatever its names
    return Fail(ErrorCode::kUnsupported,
                by_value_ != 0
                    ? "not: expected at most one property to be found by its value, or properties "
                      "with listed names, found several whose names may be the same"
                    : fmt::format("minProperties: expected at most one more property than those "
                                  "with listed names, found {} of names that may be the same",
                                  least_));
  }

 private:
  void FindNames() {
    std::set<std::string_view> seen;
    std::set<std::string_view> required;
    for (const Demand* demand : demands_) {
      if (demand->kind == Demand::Kind::kRequired) required.insert(demand->name);
    }
    required_ = static_cast<int64_t>(required.size());
    for (const Demand::Kind kind : {Demand::Kind::kProperty, Demand::Kind::kRequired}) {
      for (const Demand* demand : demands_) {
        if (demand->kind != kind || !seen.insert(demand->name).second) continue;
        PropertySlot slot;
        slot.name = demand->name;
        slot.atoms = PropertyAtoms(demands_, demand->name);
        slot.is_required = required.count(demand->name) > 0;
        slots_.push_back(std::move(slot));
      }
    }
  }

  // The other names, split by each demand into those that it speaks of and those that it does not.
  Result<void> FindClasses() {
    constexpr size_t kMostClasses = 64;
    std::vector<std::string> names;
    for (const PropertySlot& slot : slots_) names.push_back(slot.name);
    HW_TRY(const DfaPointer others, Combine(AnyText(), Words(names), kWithout));
    classes_.push_back({others, {}, false});
    for (const Demand* demand : demands_) {
      if (demand->kind != Demand::Kind::kOthers) continue;
      std::vector<NameClass> split;
      for (const NameClass& each : classes_) {
        HW_TRY(const DfaPointer in, Combine(each.names, demand->names, kAnd));
        HW_TRY(const DfaPointer out, Combine(each.names, demand->names, kWithout));
        if (!in->IsEmpty()) {
          split.push_back({in, each.atoms, each.spoken_of || !(demand->value == kNoValue)});
          split.back().atoms.push_back(demand->value);
        }
        if (!out->IsEmpty()) split.push_back({out, each.atoms, each.spoken_of});
      }
      classes_ = std::move(split);
      if (classes_.size() > kMostClasses)
        return Fail(ErrorCode::kUnsupported,
                    "expected fewer 'patternProperties' that overlap, found too many");
    }
    return {};
  }

  // Slots for other properties that must not be the same one twice.
  Result<void> SetApart() {
    constexpr size_t kMostListed = 64;
    const size_t named = slots_.size();
    std::vector<NameClass> rest;
    for (const NameClass& each : classes_) {
      if (goals_->Number(each.atoms) == kNothing) continue;
      const auto names = TextsOf(*each.names, kMostListed);
      if (!names) {
        rest.push_back(each);
        continue;
      }
      for (const std::string& name : *names) {
        PropertySlot slot;
        slot.name = name;
        slot.atoms = each.atoms;
        slot.spoken_of = each.spoken_of;
        slots_.push_back(std::move(slot));
      }
    }
    std::sort(slots_.begin() + static_cast<std::ptrdiff_t>(named), slots_.end(),
              [](const PropertySlot& a, const PropertySlot& b) { return a.name < b.name; });
    classes_ = std::move(rest);
    // With all that are required there, one more is another one in any case.
    counts_apart_ = least_ > required_ + 1;
    for (size_t i = 0; counts_apart_ && i < classes_.size(); ++i) {
      PropertySlot slot;
      slot.names = classes_[i].names;
      slot.atoms = classes_[i].atoms;
      slot.spoken_of = classes_[i].spoken_of;
      slots_.push_back(std::move(slot));
    }
    return {};
  }

  size_t Everything() const { return (size_t{1} << some_.size()) - 1; }
  int32_t Cell(size_t place, int64_t count, size_t found) const {
    const int64_t cell = (static_cast<int64_t>(place) * (counted_ + 1) + count) << some_.size();
    return static_cast<int32_t>(cell) + static_cast<int32_t>(found);
  }

  ValueGraph Build(bool with_unnamed) {
    ValueGraph graph;
    graph.is_object = true;
    for (size_t place = 0; place < places_; ++place) {
      for (int64_t count = 0; count <= counted_; ++count) {
        for (size_t found = 0; found <= Everything(); ++found) {
          graph.states.emplace_back();
          ValueGraph::State& state = graph.states.back();
          const Place at = {place, count, found};
          if (place < slots_.size()) {
            AddSlot(at, with_unnamed, &state);
            continue;
          }
          state.ends = count >= least_ && found == Everything();
          if (place == slots_.size()) AddOthers(at, with_unnamed, &state);
        }
      }
    }
    return graph;
  }

  struct Place {
    size_t place;
    int64_t count;
    size_t found;
  };

  void AddSlot(const Place& at, bool with_unnamed, ValueGraph::State* state) {
    const PropertySlot& slot = slots_[at.place];
    if (!slot.is_required) {
      ValueGraph::Edge skip;
      skip.skips = true;
      skip.target = Cell(at.place + 1, at.count, at.found);
      state->edges.push_back(std::move(skip));
    }
    if (!slot.spoken_of && !with_unnamed) return;
    ValueGraph::Edge edge;
    edge.name = slot.name;
    edge.names = slot.names;
    for (size_t finds = 0; finds <= Everything(); ++finds) {
      if (slot.names == nullptr || (finds & by_value_) == 0)
        AddMember(at, at.place + 1, finds, edge, slot.atoms, state);
    }
  }

  void AddOthers(const Place& at, bool with_unnamed, ValueGraph::State* state) {
    if (!may_repeat_ && counts_apart_ && at.count < least_) return;
    for (const NameClass& each : classes_) {
      if (!with_unnamed && !each.spoken_of) continue;
      ValueGraph::Edge edge;
      edge.names = each.names;
      for (size_t finds = 0; finds <= Everything(); ++finds) {
        const bool is_last = !may_repeat_ && (finds & by_value_) != 0;
        if (!is_last || (at.found | finds) == Everything())
          AddMember(at, at.place + (is_last ? 1 : 0), finds, edge, each.atoms, state);
      }
    }
  }

  // One more member, which is what the "some property" demands of `finds` look for.
  void AddMember(const Place& at, size_t next, size_t finds, ValueGraph::Edge edge,
                 std::vector<Atom> atoms, ValueGraph::State* state) {
    if (most_ != Expression::kNoLimit && at.count >= most_) return;
    if ((finds & at.found) != 0) return;
    for (size_t i = 0; i < some_.size(); ++i) {
      if ((finds >> i & 1) == 0) continue;
      atoms.push_back(some_[i]->value);
      if (edge.names == nullptr) {
        if (!some_[i]->names->Accepts(edge.name)) return;
        continue;
      }
      const auto both = Combine(edge.names, some_[i]->names, kAnd);
      if (!both || (*both)->IsEmpty()) return;
      edge.names = *both;
    }
    edge.value = goals_->Number(std::move(atoms));
    edge.is_first = at.count == 0;
    edge.target = Cell(next, std::min(at.count + 1, counted_), at.found | finds);
    if (edge.value != kNothing) state->edges.push_back(std::move(edge));
  }

  // Along members that have values, as far as is easily seen.
  Result<bool> CanEnd(const ValueGraph& graph) {
    std::vector<bool> seen(graph.states.size());
    std::vector<int32_t> work = {0};
    seen[0] = true;
    while (!work.empty()) {
      const ValueGraph::State& state = graph.states[static_cast<size_t>(work.back())];
      work.pop_back();
      if (state.ends) return true;
      for (const ValueGraph::Edge& edge : state.edges) {
        if (seen[static_cast<size_t>(edge.target)]) continue;
        if (!edge.skips && edge.value != kAnything) {
          HW_TRY(const Shape* shape, goals_->ShapeOf(edge.value));
          if (shape->IsEmpty()) continue;
        }
        seen[static_cast<size_t>(edge.target)] = true;
        work.push_back(edge.target);
      }
    }
    return false;
  }

  const Demands& demands_;
  const SchemaOptions& options_;
  SchemaGoals* const goals_;
  std::vector<PropertySlot> slots_;
  std::vector<NameClass> classes_;
  std::vector<const Demand*> some_;
  size_t by_value_ = 0;  // which of those look at the value, as bits
  size_t places_ = 1;    // before each slot, among the others, perhaps behind one that is the last
  int64_t required_ = 0;
  bool may_repeat_ = false;    // whoever asks finds repeated names without a grammar
  bool counts_apart_ = false;  // least_ must be reached in slots
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
