#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "grammar/number_sets.h"
#include "grammar/value_graph.h"

namespace headway::grammar {
namespace {

class ArrayGraphBuilder {
 public:
  ArrayGraphBuilder(const Demands& demands, SchemaGoals* goals)
      : demands_(demands), goals_(goals) {}

  Result<ValueGraph> Run() {
    const DemandedCount length = CountDemanded(demands_, Demand::Kind::kLength);
    least_ = length.least;
    most_ = length.most;
    bool unique = false;
    int64_t places = 1;  // after so many items all are alike; whether it is the first matters too
    for (const Demand* demand : demands_) {
      if (demand->kind == Demand::Kind::kItem) places = std::max(places, demand->index + 1);
      if (demand->kind == Demand::Kind::kItemsFrom) places = std::max(places, demand->index);
      if (demand->kind == Demand::Kind::kUnique) unique = true;
      if (demand->kind != Demand::Kind::kSomeItems) continue;
      places = std::max(places, demand->index);
      some_.push_back(demand);
    }
    counted_ = std::max({places, least_, most_});
    if (unique && most_ != 0 && most_ != 1) return BuildUnique();
    int64_t cells = counted_ + 1;
    for (const Demand* demand : some_) {
      steps_.push_back(cells);
      cells *= Counted(*demand) + 1;
      if (cells > kMostGraphStates) return TooLarge();
    }
    if (cells > kMostGraphStates) return TooLarge();
    return Build(cells);
  }

 private:
  static tl::unexpected<Error> TooLarge() {
    return Fail(ErrorCode::kUnsupported,
                "expected fewer items to count ('contains' beside 'minItems' or 'maxItems'), found "
                "too many");
  }
  static int64_t Counted(const Demand& some) {
    return some.most == Expression::kNoLimit ? some.least : std::max(some.least, some.most);
  }

  ValueGraph Build(int64_t cells) {
    ValueGraph graph;
    graph.states.resize(static_cast<size_t>(cells));
    for (int64_t cell = 0; cell < cells; ++cell) {
      const int64_t length = cell % (counted_ + 1);
      ValueGraph::State& state = graph.states[static_cast<size_t>(cell)];
      state.ends = length >= least_;
      for (size_t i = 0; i < some_.size(); ++i)
        state.ends = state.ends && CountAt(cell, i) >= some_[i]->least;
      if (most_ != Expression::kNoLimit && length >= most_) continue;
      const int64_t next = length < counted_ ? cell + 1 : cell;
      AddItems(length, cell, 0, ItemAtoms(demands_, length), next, &state);
    }
    return graph;
  }

  int64_t CountAt(int64_t cell, size_t i) const {
    return cell / steps_[i] % (Counted(*some_[i]) + 1);
  }

  // One more item: for every "some items" demand from `i` on, one that counts or one that does not.
  void AddItems(int64_t length, int64_t cell, size_t i, const std::vector<Atom>& atoms,
                int64_t target, ValueGraph::State* state) {
    if (i == some_.size()) {
      ValueGraph::Edge edge;
      edge.value = goals_->Number(atoms);
      edge.is_first = length == 0;
      edge.target = static_cast<int32_t>(target);
      if (edge.value != kNothing) state->edges.push_back(std::move(edge));
      return;
    }
    const Demand& some = *some_[i];
    const bool is_limited = some.most != Expression::kNoLimit;
    if (length < some.index) {
      AddItems(length, cell, i + 1, atoms, target, state);
      return;
    }
    std::vector<Atom> without = atoms;
    if (is_limited) without.push_back(Negated(some.value));
    AddItems(length, cell, i + 1, without, target, state);
    const int64_t count = CountAt(cell, i);
    if (is_limited && count >= some.most) return;
    std::vector<Atom> with = atoms;
    with.push_back(some.value);
    if (count < Counted(some)) {
      AddItems(length, cell, i + 1, with, target + steps_[i], state);
    }
  }

  // The texts of a goal that has few values, all scalars.
  Result<std::optional<std::vector<std::string>>> FewTexts(Goal goal) {
    using Texts = std::optional<std::vector<std::string>>;
    HW_TRY(const Shape* shape, goals_->ShapeOf(goal));
    if (!shape->objects.empty() || !shape->arrays.empty()) return Texts();
    constexpr int64_t kMostDigits = 400;
    HW_TRY(const DfaPointer numbers,
           Combine(shape->scalars.numbers, NumberSpellings(kMostDigits, true), kAnd));
    const Texts digits = TextsOf(*numbers, kMostUnique);
    const Texts strings = TextsOf(*shape->scalars.strings, kMostUnique);
    if (!digits || !strings) return Texts();
    std::vector<std::string> texts = *digits;
    for (const std::string& string : *strings) texts.push_back(QuotedJson(string));
    if (shape->scalars.has_null) texts.emplace_back("null");
    if (shape->scalars.has_true) texts.emplace_back("true");
    if (shape->scalars.has_false) texts.emplace_back("false");
    return Texts(std::move(texts));
  }

  static tl::unexpected<Error> NotUnique() {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("expected keywords that a grammar can express, found 'uniqueItems' of "
                            "items with more than {} values, or beside 'contains'",
                            kMostUnique));
  }

  // With few values: which ones were used is part of the state.
  Result<ValueGraph> BuildUnique() {
    if (!some_.empty()) return NotUnique();
    std::vector<std::string> values;
    std::vector<std::vector<std::string>> at_place;
    // As many items as there are values at most: no place after that one is reached.
    for (int64_t i = 0; i <= static_cast<int64_t>(kMostUnique); ++i) {
      HW_TRY(const auto texts, FewTexts(goals_->Number(ItemAtoms(demands_, i))));
      if (!texts) return NotUnique();
      for (const std::string& text : *texts) {
        if (std::find(values.begin(), values.end(), text) == values.end()) values.push_back(text);
      }
      at_place.push_back(*texts);
    }
    if (values.size() > kMostUnique) return NotUnique();
    ValueGraph graph;
    graph.states.resize(size_t{1} << values.size());  // by the set of values used
    for (size_t used = 0; used < graph.states.size(); ++used) {
      int64_t length = 0;
      for (size_t v = 0; v < values.size(); ++v) length += static_cast<int64_t>(used >> v & 1);
      graph.states[used].ends = length >= least_;
      if (most_ != Expression::kNoLimit && length >= most_) continue;
      for (size_t v = 0; v < values.size(); ++v) {
        const auto& here = at_place[static_cast<size_t>(length)];
        if ((used >> v & 1) != 0 || std::find(here.begin(), here.end(), values[v]) == here.end())
          continue;
        ValueGraph::Edge edge;
        edge.text = values[v];
        edge.is_first = length == 0;
        edge.target = static_cast<int32_t>(used | size_t{1} << v);
        graph.states[used].edges.push_back(std::move(edge));
      }
    }
    return graph;
  }

  static constexpr size_t kMostUnique = 10;
  const Demands& demands_;
  SchemaGoals* const goals_;
  std::vector<const Demand*> some_;
  std::vector<int64_t> steps_;  // between cells whose counts of some_[i] differ by one
  int64_t least_ = 0;
  int64_t most_ = Expression::kNoLimit;
  int64_t counted_ = 1;
};

}  // namespace

Result<ValueGraph> ArrayGraph(const Demands& demands, SchemaGoals* goals) {
  return ArrayGraphBuilder(demands, goals).Run();
}

}  // namespace headway::grammar
