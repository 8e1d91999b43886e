#pragma once

// What schemas say about objects and arrays, as Boolean formulas over single demands ("property a,
// if it is there, is of this schema"). What they say about scalars is a set (scalar_set.h).

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "grammar/dfa.h"
#include "grammar/json_value.h"

namespace headway::grammar {

// The values that a schema in the document describes, or the one value of a "const"; or all others.
// Without a node: any value, negated none.
struct Atom {
  const JsonValue* node = nullptr;
  bool is_literal = false;
  bool negated = false;

  auto Key() const { return std::tie(node, is_literal, negated); }
  bool operator<(const Atom& other) const { return Key() < other.Key(); }
  bool operator==(const Atom& other) const { return Key() == other.Key(); }
};
inline constexpr Atom kNoValue = {nullptr, false, true};

inline Atom Negated(Atom atom) {
  atom.negated = !atom.negated;
  return atom;
}

struct Demand {
  enum class Kind {
    kProperty,        // `name` is absent or its value in `value`
    kRequired,        // `name` is there
    kOthers,          // all properties named in `names` have values in `value`
    kSomeProperty,    // one of them has
    kPropertyCount,   // `least` to `most`
    kItem,            // item `index` is absent or in `value`
    kItemsFrom,       // items from `index` on are in `value`
    kSomeItems,       // `least` to `most` items from `index` on are in `value`
    kLength,          // `least` to `most` items
    kUnique,          // no two items are equal
    kEvaluatedNames,  // demands nothing: the properties named in `names` were looked at
    kEvaluatedItems,  // likewise the first `index` items
  };
  Kind kind = Kind::kProperty;
  std::string name = {};
  DfaPointer names = {};
  Atom value = {};
  int64_t index = 0;
  int64_t least = 0;
  int64_t most = Expression::kNoLimit;
  // Of a literal's kPropertyCount: its names. More properties than it has, some of its own missing,
  // is said by another way already ("a is absent"); only with all of them an unlisted one is told
  // from them by its name.
  std::vector<std::string> listed = {};
  const JsonValue* from = nullptr;  // the schema that demands it
};

struct Formula;
using FormulaPointer = std::shared_ptr<const Formula>;

struct Formula {
  enum class Kind { kDemand, kAll, kAny };  // all of nothing: true; any of nothing: false
  Kind kind = Kind::kAll;
  Demand demand = {};
  std::vector<FormulaPointer> parts = {};

  bool IsTrue() const { return kind == Kind::kAll && parts.empty(); }
  bool IsFalse() const { return kind == Kind::kAny && parts.empty(); }
};

FormulaPointer True();
FormulaPointer False();
FormulaPointer Demanded(Demand demand);
FormulaPointer All(std::vector<FormulaPointer> parts);
FormulaPointer Any(std::vector<FormulaPointer> parts);

// Errors: kUnsupported, for what has no negation here (two equal items).
Result<FormulaPointer> Not(const FormulaPointer& formula);

// All ways to make the formula true, each a list of demands. Errors: kUnsupported, more than
// kMostWays.
inline constexpr size_t kMostWays = 4096;
using Demands = std::vector<const Demand*>;
Result<std::vector<Demands>> WaysOf(const Formula& formula);

}  // namespace headway::grammar
