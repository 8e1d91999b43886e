#pragma once

// A grammar as a tree: what the two front ends (gbnf_parser.h, json_schema.h) make and the
// automaton is built from. Plain values.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace headway::grammar {

inline constexpr uint32_t kLastCodePoint = 0x10FFFF;

struct CodeRange {
  uint32_t first = 0;
  uint32_t last = 0;  // inclusive
};

struct Machine;

struct Expression {
  enum class Kind {
    kText,      // the bytes of `text`
    kClass,     // one code point of `ranges`, as UTF-8
    kRule,      // whatever the rule named `text` matches
    kSequence,  // `parts` one after the other; none: the empty text
    kChoice,    // one of `parts`; none: nothing at all
    kRepeat,    // the one part, `least` to `most` times
    kMachine,   // what leads through `machine` from its first state to one that ends
  };
  static constexpr int64_t kNoLimit = -1;

  Kind kind = Kind::kSequence;
  std::string text = {};
  std::vector<CodeRange> ranges = {};
  std::vector<Expression> parts = {};
  int64_t least = 0;
  int64_t most = kNoLimit;
  std::shared_ptr<const Machine> machine = {};
};

// A finite automaton whose edges consume what an expression matches; for what would be as deep as
// it is long, or would repeat itself, as a tree.
struct Machine {
  struct Edge {
    Expression what;
    int32_t target = 0;
  };
  struct State {
    std::vector<Edge> edges;
    bool ends = false;
  };
  std::vector<State> states;  // 0 is the first
};

inline Expression Text(std::string text) {
  Expression e;
  e.kind = Expression::Kind::kText;
  e.text = std::move(text);
  return e;
}
inline Expression Class(std::vector<CodeRange> ranges) {
  Expression e;
  e.kind = Expression::Kind::kClass;
  e.ranges = std::move(ranges);
  return e;
}
inline Expression Rule(std::string name) {
  Expression e;
  e.kind = Expression::Kind::kRule;
  e.text = std::move(name);
  return e;
}
inline Expression Sequence(std::vector<Expression> parts) {
  Expression e;
  e.parts = std::move(parts);
  return e;
}
inline Expression Choice(std::vector<Expression> parts) {
  Expression e;
  e.kind = Expression::Kind::kChoice;
  e.parts = std::move(parts);
  return e;
}
inline Expression Repeat(Expression part, int64_t least, int64_t most) {
  Expression e;
  e.kind = Expression::Kind::kRepeat;
  e.parts.push_back(std::move(part));
  e.least = least;
  e.most = most;
  return e;
}
inline Expression OfMachine(Machine machine) {
  Expression e;
  e.kind = Expression::Kind::kMachine;
  e.machine = std::make_shared<const Machine>(std::move(machine));
  return e;
}

// Sorted, without overlaps, and without what `ranges` holds.
std::vector<CodeRange> Complement(std::vector<CodeRange> ranges);

// Rules by name; "root" is the whole text.
using Rules = std::map<std::string, Expression>;

}  // namespace headway::grammar
