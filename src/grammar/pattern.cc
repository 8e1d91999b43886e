#include "grammar/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "grammar/pattern_parser.h"

namespace headway::grammar {
namespace {

constexpr size_t kMostNfaStates = 60000;
constexpr size_t kMostPatternStates = 20000;

// A pattern with all ways to read it. Anchors are jumps that only exist at the text's ends.
class Nfa {
 public:
  enum class Where { kAnywhere, kAtBegin, kAtEnd };
  struct Jump {
    int32_t target;
    Where where;
  };
  struct State {
    std::vector<CodeRange> ranges;  // consume one of them and go on to `next`
    int32_t next = -1;
    std::vector<Jump> jumps;
  };

  // What is found may begin after anything.
  bool Build(const Expression& pattern) {
    const int32_t before = New();  // only there before the first character
    const int32_t begin = New();
    Link(before, begin);
    At(begin).ranges = {{0, kLastCodePoint}};
    At(begin).next = New();
    Link(At(begin).next, begin);
    const int32_t first = New();
    Link(begin, first);
    found_ = Add(pattern, first);
    return states_.size() <= kMostNfaStates;
  }

  int32_t Found() const { return found_; }
  const State& At(int32_t s) const { return states_[static_cast<size_t>(s)]; }

  // `set` and what can be reached from it without a character, sorted.
  std::vector<int32_t> Closure(std::vector<int32_t> set, bool at_begin, bool at_end) const {
    std::vector<bool> seen(states_.size());
    for (const int32_t s : set) seen[static_cast<size_t>(s)] = true;
    for (size_t i = 0; i < set.size(); ++i) {
      for (const Jump& jump : At(set[i]).jumps) {
        if ((jump.where == Where::kAtBegin && !at_begin) ||
            (jump.where == Where::kAtEnd && !at_end) || seen[static_cast<size_t>(jump.target)])
          continue;
        seen[static_cast<size_t>(jump.target)] = true;
        set.push_back(jump.target);
      }
    }
    std::sort(set.begin(), set.end());
    return set;
  }

 private:
  State& At(int32_t s) { return states_[static_cast<size_t>(s)]; }
  int32_t New() {
    states_.emplace_back();
    return static_cast<int32_t>(states_.size()) - 1;
  }
  void Link(int32_t from, int32_t to, Where where = Where::kAnywhere) {
    At(from).jumps.push_back({to, where});
  }

  int32_t Add(const Expression& e, int32_t from) {
    if (states_.size() > kMostNfaStates) return from;  // Build says so
    const int32_t end = New();
    switch (e.kind) {
      case Expression::Kind::kText:
        Link(from, end, e.text == "^" ? Where::kAtBegin : Where::kAtEnd);
        return end;
      case Expression::Kind::kClass: {
        const int32_t character = New();
        Link(from, character);
        At(character).ranges = e.ranges;
        At(character).next = end;
        return end;
      }
      case Expression::Kind::kSequence:
        for (const Expression& part : e.parts) from = Add(part, from);
        Link(from, end);
        return end;
      case Expression::Kind::kChoice:
        for (const Expression& part : e.parts) {
          const int32_t way = New();
          Link(from, way);
          Link(Add(part, way), end);
        }
        return end;
      case Expression::Kind::kRepeat:
        return AddRepeat(e, from, end);
      case Expression::Kind::kRule:
      case Expression::Kind::kMachine:
        break;
    }
    return end;
  }

  int32_t AddRepeat(const Expression& e, int32_t from, int32_t end) {
    for (int64_t i = 0; i < e.least && states_.size() <= kMostNfaStates; ++i)
      from = Add(e.parts.front(), from);
    if (e.most == Expression::kNoLimit) {
      const int32_t loop = New();
      Link(from, loop);
      Link(Add(e.parts.front(), loop), loop);
      Link(loop, end);
      return end;
    }
    for (int64_t i = e.least; i < e.most && states_.size() <= kMostNfaStates; ++i) {
      Link(from, end);
      from = Add(e.parts.front(), from);
    }
    Link(from, end);
    return end;
  }

  std::vector<State> states_;
  int32_t found_ = -1;
};

// The subset construction. Once something was found, anything may follow.
class Determinizer {
 public:
  explicit Determinizer(const Nfa& nfa) : nfa_(nfa) {}

  Result<Dfa> Run() {
    Dfa dfa;
    const int32_t first = Number(nfa_.Closure({0}, true, false));
    for (size_t i = 0; i < sets_.size(); ++i) {
      if (sets_.size() > kMostPatternStates) {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("expected a pattern whose automaton has at most {} states, found "
                                "more",
                                kMostPatternStates));
      }
      Dfa::State state;
      const std::vector<int32_t> set = *sets_[i];
      if (static_cast<int32_t>(i) == found_state_) {
        state.edges = {{kLastCodePoint, found_state_}};
        state.accepts = true;
      } else {
        state.edges = Edges(set);
        state.accepts = Holds(nfa_.Closure(set, static_cast<int32_t>(i) == first, true));
      }
      dfa.states.push_back(std::move(state));
    }
    return dfa;
  }

 private:
  bool Holds(const std::vector<int32_t>& set) const {
    return std::binary_search(set.begin(), set.end(), nfa_.Found());
  }

  int32_t Number(std::vector<int32_t> set) {
    if (Holds(set)) set = {nfa_.Found()};
    const auto [found, is_new] =
        numbers_.try_emplace(std::move(set), static_cast<int32_t>(sets_.size()));
    if (!is_new) return found->second;
    sets_.push_back(&found->first);
    if (found->first.size() == 1 && found->first.front() == nfa_.Found())
      found_state_ = found->second;
    return found->second;
  }

  std::vector<Dfa::Edge> Edges(const std::vector<int32_t>& set) {
    // The borders at which the states that are reached change.
    std::map<uint32_t, std::pair<std::vector<int32_t>, std::vector<int32_t>>> borders;
    for (const int32_t s : set) {
      const Nfa::State& state = nfa_.At(s);
      for (const CodeRange& range : state.ranges) {
        borders[range.first].first.push_back(state.next);
        borders[range.last + 1].second.push_back(state.next);
      }
    }
    std::vector<std::pair<CodeRange, int32_t>> ranges;
    std::map<int32_t, int> reached;  // how often
    uint32_t begin = 0;
    for (const auto& [border, changes] : borders) {
      if (!reached.empty() && border > begin) {
        std::vector<int32_t> targets;
        targets.reserve(reached.size());
        for (const auto& [target, times] : reached) targets.push_back(target);
        ranges.push_back(
            {{begin, border - 1}, Number(nfa_.Closure(std::move(targets), false, false))});
      }
      for (const int32_t target : changes.second) {
        if (--reached[target] == 0) reached.erase(target);
      }
      for (const int32_t target : changes.first) ++reached[target];
      begin = border;
    }
    return EdgesOf(std::move(ranges));
  }

  const Nfa& nfa_;
  std::map<std::vector<int32_t>, int32_t> numbers_;
  std::vector<const std::vector<int32_t>*> sets_;
  int32_t found_state_ = -1;
};

}  // namespace

Result<DfaPointer> TextsMatching(std::string_view pattern) {
  HW_TRY(const Expression tree, ParsePattern(pattern));
  Nfa nfa;
  if (!nfa.Build(tree)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("expected a pattern of at most {} states, repetitions written out, "
                            "found more",
                            kMostNfaStates));
  }
  HW_TRY(Dfa dfa, Determinizer(nfa).Run());
  return Combine(std::make_shared<const Dfa>(std::move(dfa)), AnyText(), kAnd);
}

}  // namespace headway::grammar
