#include "grammar/schema_formula.h"

#include <fmt/format.h>

#include <utility>

namespace headway::grammar {
namespace {

FormulaPointer Joined(Formula::Kind kind, std::vector<FormulaPointer> parts) {
  Formula joined;
  joined.kind = kind;
  const bool all = kind == Formula::Kind::kAll;
  for (FormulaPointer& part : parts) {
    if (all ? part->IsFalse() : part->IsTrue()) return part;
    if (all ? part->IsTrue() : part->IsFalse()) continue;
    if (part->kind == kind) {
      joined.parts.insert(joined.parts.end(), part->parts.begin(), part->parts.end());
    } else {
      joined.parts.push_back(std::move(part));
    }
  }
  if (joined.parts.size() == 1) return joined.parts.front();
  return std::make_shared<const Formula>(std::move(joined));
}

// Outside `least` to `most`.
FormulaPointer NotBetween(const Demand& demand) {
  std::vector<FormulaPointer> ways;
  Demand other = demand;
  if (demand.least > 0) {
    other.least = 0;
    other.most = demand.least - 1;
    ways.push_back(Demanded(other));
  }
  if (demand.most != Expression::kNoLimit) {
    other.least = demand.most + 1;
    other.most = Expression::kNoLimit;
    std::vector<FormulaPointer> with = {Demanded(other)};
    for (const std::string& name : demand.listed) {
      Demand there;
      there.kind = Demand::Kind::kRequired;
      there.name = name;
      there.from = demand.from;
      with.push_back(Demanded(std::move(there)));
    }
    ways.push_back(All(std::move(with)));
  }
  return Any(std::move(ways));
}

Result<FormulaPointer> NotDemanded(const Demand& demand) {
  Demand other = demand;
  other.value = Negated(demand.value);
  Demand there;
  there.from = demand.from;
  switch (demand.kind) {
    case Demand::Kind::kProperty:
      there.kind = Demand::Kind::kRequired;
      there.name = demand.name;
      return All({Demanded(there), Demanded(other)});
    case Demand::Kind::kRequired:
      other.kind = Demand::Kind::kProperty;
      other.value = kNoValue;
      return Demanded(other);
    case Demand::Kind::kOthers:
    case Demand::Kind::kSomeProperty:
      other.kind = demand.kind == Demand::Kind::kOthers ? Demand::Kind::kSomeProperty
                                                        : Demand::Kind::kOthers;
      return Demanded(other);
    case Demand::Kind::kItem:
      there.kind = Demand::Kind::kLength;
      there.least = demand.index + 1;
      return All({Demanded(there), Demanded(other)});
    case Demand::Kind::kItemsFrom:
      other.kind = Demand::Kind::kSomeItems;
      other.least = 1;
      return Demanded(other);
    case Demand::Kind::kPropertyCount:
    case Demand::Kind::kLength:
    case Demand::Kind::kSomeItems:
      return NotBetween(demand);
    case Demand::Kind::kEvaluatedNames:
    case Demand::Kind::kEvaluatedItems:
      return False();  // they are always true
    case Demand::Kind::kUnique:
      break;
  }
  return Fail(ErrorCode::kUnsupported,
              "expected keywords that a grammar can express, found 'uniqueItems' negated");
}

// The product of what is there with the ways of one more part.
Result<void> Multiply(std::vector<Demands>* ways, const std::vector<Demands>& more) {
  std::vector<Demands> product;
  for (const Demands& a : *ways) {
    for (const Demands& b : more) {
      Demands both = a;
      both.insert(both.end(), b.begin(), b.end());
      product.push_back(std::move(both));
    }
    if (product.size() > kMostWays) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("expected at most {} combinations of schemas, found more", kMostWays));
    }
  }
  *ways = std::move(product);
  return {};
}

}  // namespace

FormulaPointer True() {
  static const auto value = std::make_shared<const Formula>();
  return value;
}

FormulaPointer False() {
  static const auto value = std::make_shared<const Formula>(Formula{.kind = Formula::Kind::kAny});
  return value;
}

FormulaPointer Demanded(Demand demand) {
  Formula formula;
  formula.kind = Formula::Kind::kDemand;
  formula.demand = std::move(demand);
  return std::make_shared<const Formula>(std::move(formula));
}

FormulaPointer All(std::vector<FormulaPointer> parts) {
  return Joined(Formula::Kind::kAll, std::move(parts));
}

FormulaPointer Any(std::vector<FormulaPointer> parts) {
  return Joined(Formula::Kind::kAny, std::move(parts));
}

Result<FormulaPointer> Not(const FormulaPointer& formula) {
  if (formula->kind == Formula::Kind::kDemand) return NotDemanded(formula->demand);
  std::vector<FormulaPointer> parts;
  for (const FormulaPointer& part : formula->parts) {
    HW_TRY(FormulaPointer negated, Not(part));
    parts.push_back(std::move(negated));
  }
  return formula->kind == Formula::Kind::kAll ? Any(std::move(parts)) : All(std::move(parts));
}

Result<std::vector<Demands>> WaysOf(const Formula& formula) {
  std::vector<Demands> ways;
  if (formula.kind == Formula::Kind::kDemand) {
    ways.push_back({&formula.demand});
    return ways;
  }
  if (formula.kind == Formula::Kind::kAll) ways.emplace_back();
  for (const FormulaPointer& part : formula.parts) {
    HW_TRY(std::vector<Demands> more, WaysOf(*part));
    if (formula.kind == Formula::Kind::kAll) {
      HW_TRY_VOID(Multiply(&ways, more));
    } else {
      for (Demands& way : more) ways.push_back(std::move(way));
    }
  }
  if (ways.size() > kMostWays)
    return Fail(ErrorCode::kUnsupported,
                fmt::format("expected at most {} combinations of schemas, found more", kMostWays));
  return ways;
}

}  // namespace headway::grammar
