#pragma once

// Goals: sets of schemas that one value must fit all of. Every rule of a schema's grammar is one.
// There are finitely many, so that recursive schemas end.

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "grammar/schema_reader.h"

namespace headway::grammar {

using Goal = int32_t;
inline constexpr Goal kAnything = 0;
inline constexpr Goal kNothing = 1;

// The values of a goal: these scalars, and the objects and arrays that fulfil all demands of one of
// the ways.
struct Shape {
  ScalarSet scalars;
  std::vector<Demands> objects;
  std::vector<Demands> arrays;

  bool IsEmpty() const { return scalars.IsEmpty() && objects.empty() && arrays.empty(); }
};

class SchemaGoals {
 public:
  explicit SchemaGoals(SchemaReader* reader);

  Goal Number(std::vector<Atom> atoms);
  int32_t Count() const { return static_cast<int32_t>(goals_.size()); }

  // Errors: as SchemaReader's, and kUnsupported for too many combinations.
  Result<const Shape*> ShapeOf(Goal goal);
  // The error with the place of the goal's first schema, if it names none yet.
  tl::unexpected<Error> Placed(Error error, Goal goal) const;

 private:
  using Side = SchemaReader::Side;
  // Levels of values that are looked at to see that a combination is impossible. It only keeps
  // grammars small; what is impossible deeper down is found when all rules are known.
  static constexpr int kDepth = 2;
  static constexpr int64_t kMostSteps = 50000;

  // The demands of a way so far, and what it has yet to choose from.
  struct Way {
    Demands demands;
    std::vector<const Formula*> choices;
  };

  Result<const Shape*> ShapeAt(Goal goal, int depth);
  Result<FormulaPointer> FormulaOf(Goal goal, Side side);
  Result<bool> IsSurelyEmpty(std::vector<Atom> atoms, int depth);
  // False when no value can fulfil the demands; true does not say that one can.
  Result<bool> IsPossible(const Demands& demands, int depth);
  Result<bool> ArePropertiesPossible(const Demands& demands, int depth);
  Result<bool> AreItemsPossible(const Demands& demands, int depth);
  // With `one`, stops at the first way.
  Result<void> Expand(Way way, int depth, bool one, std::vector<Demands>* ways);
  // True when every value that fulfils the demands makes the formula true.
  Result<bool> IsImplied(const Demands& demands, const FormulaPointer& formula, int depth);
  static void Flatten(const Formula& formula, Way* way);

  SchemaReader* const reader_;
  std::map<std::vector<Atom>, Goal> numbers_;
  std::vector<const std::vector<Atom>*> goals_;
  std::map<std::pair<Goal, int>, Shape> shapes_;
  std::map<std::pair<Goal, int>, bool> empty_;
  std::vector<FormulaPointer> kept_;  // that demands point into
  int64_t steps_ = 0;
};

// The schemas of property `name`, or of item `index`, under the demands.
std::vector<Atom> PropertyAtoms(const Demands& demands, const std::string& name);
std::vector<Atom> ItemAtoms(const Demands& demands, int64_t index);

// The narrowest limits of all demands of that kind.
struct DemandedCount {
  int64_t least = 0;
  int64_t most = Expression::kNoLimit;
  bool IsPossible() const { return most == Expression::kNoLimit || least <= most; }
};
DemandedCount CountDemanded(const Demands& demands, Demand::Kind kind);

}  // namespace headway::grammar
