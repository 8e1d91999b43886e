#include "grammar/schema_goals.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace headway::grammar {

SchemaGoals::SchemaGoals(SchemaReader* reader) : reader_(reader) {
  Number({});
  Number({kNoValue});
}

Goal SchemaGoals::Number(std::vector<Atom> atoms) {
  std::sort(atoms.begin(), atoms.end());
  atoms.erase(std::unique(atoms.begin(), atoms.end()), atoms.end());
  const Atom anything;
  atoms.erase(std::remove(atoms.begin(), atoms.end(), anything), atoms.end());
  const bool nothing = std::any_of(atoms.begin(), atoms.end(), [&](const Atom& atom) {
    return atom == kNoValue || std::binary_search(atoms.begin(), atoms.end(), Negated(atom));
  });
  if (nothing) atoms = {kNoValue};
  const auto [found, is_new] =
      numbers_.try_emplace(std::move(atoms), static_cast<Goal>(goals_.size()));
  if (is_new) goals_.push_back(&found->first);
  return found->second;
}

tl::unexpected<Error> SchemaGoals::Placed(Error error, Goal goal) const {
  const auto& atoms = *goals_[static_cast<size_t>(goal)];
  if (atoms.empty() || atoms.front().node == nullptr || error.message.rfind('#', 0) == 0)
    return tl::unexpected<Error>(std::move(error));
  return Prefixed(std::move(error), reader_->Place(*atoms.front().node));
}

Result<const Shape*> SchemaGoals::ShapeOf(Goal goal) {
  auto shape = ShapeAt(goal, kDepth);
  if (!shape) return Placed(shape.error(), goal);
  return shape;
}

Result<FormulaPointer> SchemaGoals::FormulaOf(Goal goal, Side side) {
  std::vector<FormulaPointer> parts;
  for (const Atom& atom : *goals_[static_cast<size_t>(goal)]) {
    HW_TRY(FormulaPointer part, reader_->Read(atom, side));
    parts.push_back(std::move(part));
  }
  kept_.push_back(All(std::move(parts)));
  return kept_.back();
}

Result<const Shape*> SchemaGoals::ShapeAt(Goal goal, int depth) {
  const auto known = shapes_.find({goal, depth});
  if (known != shapes_.end()) return &known->second;
  Shape shape;
  shape.scalars = AllScalars();
  for (const Atom& atom : *goals_[static_cast<size_t>(goal)]) {
    HW_TRY(const ScalarSet part, reader_->Scalars(atom));
    HW_TRY(shape.scalars, Both(shape.scalars, part));
  }
  for (const Side side : {Side::kObject, Side::kArray}) {
    HW_TRY(const FormulaPointer formula, FormulaOf(goal, side));
    Way way;
    Flatten(*formula, &way);
    auto* ways = side == Side::kObject ? &shape.objects : &shape.arrays;
    if (!formula->IsFalse()) HW_TRY_VOID(Expand(std::move(way), depth, false, ways));
  }
  return &shapes_.emplace(std::pair(goal, depth), std::move(shape)).first->second;
}

void SchemaGoals::Flatten(const Formula& formula, Way* way) {
  switch (formula.kind) {
    case Formula::Kind::kDemand:
      way->demands.push_back(&formula.demand);
      return;
    case Formula::Kind::kAny:
      way->choices.push_back(&formula);
      return;
    case Formula::Kind::kAll:
      for (const FormulaPointer& part : formula.parts) Flatten(*part, way);
      return;
  }
}

Result<void> SchemaGoals::Expand(Way way, int depth, bool one, std::vector<Demands>* ways) {
  if (++steps_ > kMostSteps || ways->size() > kMostWays) {
    return Fail(ErrorCode::kUnsupported,
                "expected fewer combinations of schemas (anyOf, oneOf, not, if), found too many");
  }
  if (one && !ways->empty()) return {};
  HW_TRY(const bool possible, IsPossible(way.demands, depth));
  if (!possible) return {};
  if (way.choices.empty()) {
    ways->push_back(std::move(way.demands));
    return {};
  }
  const Formula* choice = way.choices.front();
  way.choices.erase(way.choices.begin());
  std::vector<Way> next;
  for (const FormulaPointer& part : choice->parts) {
    Way with = way;
    Flatten(*part, &with);
    HW_TRY(const bool is_possible, IsPossible(with.demands, depth));
    if (is_possible) next.push_back(std::move(with));
  }
  // Where one of the ways demands nothing new, the others add nothing: so branches of a oneOf
  // that exclude each other by a constant do not multiply.
  for (const FormulaPointer& part : choice->parts) {
    if (one || depth == 0 || next.size() < 2) break;
    HW_TRY(const bool implied, IsImplied(way.demands, part, depth));
    if (implied) return Expand(std::move(way), depth, one, ways);
  }
  for (Way& with : next) HW_TRY_VOID(Expand(std::move(with), depth, one, ways));
  return {};
}

Result<bool> SchemaGoals::IsImplied(const Demands& demands, const FormulaPointer& formula,
                                    int depth) {
  const auto negated = Not(formula);
  if (!negated) return false;
  kept_.push_back(*negated);
  Way way;
  way.demands = demands;
  Flatten(**negated, &way);
  std::vector<Demands> counterexamples;
  HW_TRY_VOID(Expand(std::move(way), depth, true, &counterexamples));
  return counterexamples.empty();
}

Result<bool> SchemaGoals::IsSurelyEmpty(std::vector<Atom> atoms, int depth) {
  const Goal goal = Number(std::move(atoms));
  if (goal == kAnything || goal == kNothing) return goal == kNothing;
  const auto known = empty_.find({goal, depth});
  if (known != empty_.end()) return known->second;
  bool empty = false;
  if (depth > 0) {
    HW_TRY(const Shape* shape, ShapeAt(goal, depth - 1));
    empty = shape->IsEmpty();
  } else {
    ScalarSet scalars = AllScalars();
    for (const Atom& atom : *goals_[static_cast<size_t>(goal)]) {
      HW_TRY(const ScalarSet part, reader_->Scalars(atom));
      HW_TRY(scalars, Both(scalars, part));
    }
    HW_TRY(const FormulaPointer objects, FormulaOf(goal, Side::kObject));
    HW_TRY(const FormulaPointer arrays, FormulaOf(goal, Side::kArray));
    empty = scalars.IsEmpty() && objects->IsFalse() && arrays->IsFalse();
  }
  empty_.emplace(std::pair(goal, depth), empty);
  return empty;
}

Result<bool> SchemaGoals::IsPossible(const Demands& demands, int depth) {
  for (const Demand::Kind kind : {Demand::Kind::kPropertyCount, Demand::Kind::kLength}) {
    if (!CountDemanded(demands, kind).IsPossible()) return false;
  }
  for (const Demand* demand : demands) {
    const bool some = demand->kind == Demand::Kind::kSomeProperty ||
                      (demand->kind == Demand::Kind::kSomeItems && demand->least > 0);
    if (some && demand->value == kNoValue) return false;
    if (demand->kind == Demand::Kind::kSomeProperty && demand->names->IsEmpty()) return false;
  }
  HW_TRY(const bool properties, ArePropertiesPossible(demands, depth));
  if (!properties) return false;
  return AreItemsPossible(demands, depth);
}

Result<bool> SchemaGoals::ArePropertiesPossible(const Demands& demands, int depth) {
  std::set<std::string_view> required;
  for (const Demand* demand : demands) {
    if (demand->kind == Demand::Kind::kRequired) required.insert(demand->name);
  }
  const DemandedCount count = CountDemanded(demands, Demand::Kind::kPropertyCount);
  if (count.most != Expression::kNoLimit && static_cast<int64_t>(required.size()) > count.most)
    return false;
  for (const std::string_view name : required) {
    HW_TRY(const bool empty,
           IsSurelyEmpty(PropertyAtoms(demands, std::string(name)), std::max(depth - 1, 0)));
    if (empty) return false;
  }
  return true;
}

Result<bool> SchemaGoals::AreItemsPossible(const Demands& demands, int depth) {
  constexpr int64_t kItemsLookedAt = 8;
  const int64_t least = CountDemanded(demands, Demand::Kind::kLength).least;
  for (int64_t i = 0; i < std::min(least, kItemsLookedAt); ++i) {
    HW_TRY(const bool empty, IsSurelyEmpty(ItemAtoms(demands, i), std::max(depth - 1, 0)));
    if (empty) return false;
  }
  return true;
}

std::vector<Atom> PropertyAtoms(const Demands& demands, const std::string& name) {
  std::vector<Atom> atoms;
  for (const Demand* demand : demands) {
    const bool named = demand->kind == Demand::Kind::kProperty && demand->name == name;
    const bool other = demand->kind == Demand::Kind::kOthers && demand->names->Accepts(name);
    if (named || other) atoms.push_back(demand->value);
  }
  return atoms;
}

std::vector<Atom> ItemAtoms(const Demands& demands, int64_t index) {
  std::vector<Atom> atoms;
  for (const Demand* demand : demands) {
    const bool item = demand->kind == Demand::Kind::kItem && demand->index == index;
    const bool rest = demand->kind == Demand::Kind::kItemsFrom && demand->index <= index;
    if (item || rest) atoms.push_back(demand->value);
  }
  return atoms;
}

DemandedCount CountDemanded(const Demands& demands, Demand::Kind kind) {
  DemandedCount count;
  for (const Demand* demand : demands) {
    if (demand->kind != kind) continue;
    count.least = std::max(count.least, demand->least);
    if (demand->most != Expression::kNoLimit)
      count.most =
          count.most == Expression::kNoLimit ? demand->most : std::min(count.most, demand->most);
  }
  return count;
}

}  // namespace headway::grammar
