#pragma once

// Sets of texts over code points as deterministic automata: what patterns, lengths, formats, limits
// of numbers and their combinations are before they become part of a grammar. Closed under every
// Boolean operation, so that schemas can be intersected and excluded exactly.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "grammar/expression.h"

namespace headway::grammar {

struct Dfa {
  static constexpr int32_t kNone = -1;  // no way on
  static constexpr size_t kMostStates = 100000;

  // Code points after the previous edge's `last` up to this one's.
  struct Edge {
    uint32_t last;
    int32_t target;
  };
  struct State {
    std::vector<Edge> edges;  // cover 0 to kLastCodePoint
    bool accepts = false;
  };

  std::vector<State> states;  // 0 is the first; no states: no text at all

  bool IsEmpty() const { return states.empty(); }
  bool Accepts(std::string_view utf8) const;
};

using DfaPointer = std::shared_ptr<const Dfa>;

// Edges of a state from disjoint ranges, in any order.
std::vector<Dfa::Edge> EdgesOf(std::vector<std::pair<CodeRange, int32_t>> ranges);

// Without states that lead nowhere, and with equal ends shared where that is cheap to see.
Dfa Trimmed(Dfa dfa);

// Which pairs (in a, in b) are in the result.
struct Combination {
  bool neither;
  bool only_a;
  bool only_b;
  bool both;
};
inline constexpr Combination kAnd = {false, false, false, true};
inline constexpr Combination kOr = {false, true, true, true};
inline constexpr Combination kWithout = {false, true, false, false};

// Errors: kUnsupported, when it needs more than kMostStates.
Result<DfaPointer> Combine(const DfaPointer& a, const DfaPointer& b, Combination combination);

// Every text without surrogates; none; exactly these (UTF-8); `least` to `most` code points
// (Expression::kNoLimit).
DfaPointer AnyText();
DfaPointer NoText();
DfaPointer Words(const std::vector<std::string>& words);
DfaPointer Lengths(int64_t least, int64_t most);

// All its texts in the order of their code points, when they are at most `most`; otherwise nothing.
std::optional<std::vector<std::string>> TextsOf(const Dfa& dfa, size_t most);

// The states that are ends or lead to one. `before`: of each state, those with an edge to it.
std::vector<bool> ReachAnEnd(const std::vector<std::vector<int32_t>>& before,
                             std::vector<bool> ends);

}  // namespace headway::grammar
