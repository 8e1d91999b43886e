#include "grammar/dfa.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/utf8.h"
#include "grammar/code_points.h"

namespace headway::grammar {
namespace {

const std::vector<CodeRange> kScalarValues = {{0, 0xD7FF}, {0xE000, kLastCodePoint}};

std::vector<Dfa::Edge> AnyTo(int32_t target) {
  return EdgesOf({{kScalarValues[0], target}, {kScalarValues[1], target}});
}

// Neighbouring edges with one target are one.
void AppendEdge(uint32_t last, int32_t target, std::vector<Dfa::Edge>* edges) {
  if (!edges->empty() && edges->back().target == target) {
    edges->back().last = last;
  } else {
    edges->push_back({last, target});
  }
}

// The product of two automata, state by state as they are met.
class Product {
 public:
  Product(const Dfa& a, const Dfa& b, Combination combination)
      : a_(a), b_(b), combination_(combination) {}

  Result<DfaPointer> Run() {
    Number(a_.IsEmpty() ? Dfa::kNone : 0, b_.IsEmpty() ? Dfa::kNone : 0);
    for (size_t i = 0; i < pairs_.size(); ++i) {
      if (pairs_.size() > Dfa::kMostStates) {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("expected limits whose automaton has at most {} states, found more",
                                Dfa::kMostStates));
      }
      const auto [s, t] = pairs_[i];
      Dfa::State state;
      state.accepts = Holds(Accepts(a_, s), Accepts(b_, t));
      state.edges = Merge(s, t);
      result_.states.push_back(std::move(state));
    }
    return std::make_shared<const Dfa>(Trimmed(std::move(result_)));
  }

 private:
  static bool Accepts(const Dfa& dfa, int32_t state) {
    return state != Dfa::kNone && dfa.states[static_cast<size_t>(state)].accepts;
  }
  bool Holds(bool in_a, bool in_b) const {
    if (in_a) return in_b ? combination_.both : combination_.only_a;
    return in_b ? combination_.only_b : combination_.neither;
  }
  int32_t Number(int32_t s, int32_t t) {
    // What can no longer be reached by any text needs no states.
    if ((s == Dfa::kNone && !combination_.only_b) || (t == Dfa::kNone && !combination_.only_a)) {
      if (!combination_.neither) return Dfa::kNone;
    }
    if (s == Dfa::kNone && t == Dfa::kNone && !combination_.neither) return Dfa::kNone;
    const uint64_t key =
        static_cast<uint64_t>(static_cast<uint32_t>(s)) << 32 | static_cast<uint32_t>(t);
    const auto [found, is_new] = numbers_.try_emplace(key, static_cast<int32_t>(pairs_.size()));
    if (is_new) pairs_.emplace_back(s, t);
    return found->second;
  }
  std::vector<Dfa::Edge> Merge(int32_t s, int32_t t) {
    const std::vector<Dfa::Edge> none = {{kLastCodePoint, Dfa::kNone}};
    const auto& left = s == Dfa::kNone ? none : a_.states[static_cast<size_t>(s)].edges;
    const auto& right = t == Dfa::kNone ? none : b_.states[static_cast<size_t>(t)].edges;
    std::vector<Dfa::Edge> edges;
    for (size_t i = 0, j = 0; i < left.size() && j < right.size();) {
      const uint32_t last = std::min(left[i].last, right[j].last);
      AppendEdge(last, Number(left[i].target, right[j].target), &edges);
      const bool i_ends = left[i].last == last;
      const bool j_ends = right[j].last == last;
      if (i_ends) ++i;
      if (j_ends) ++j;
    }
    return edges;
  }

  const Dfa& a_;
  const Dfa& b_;
  const Combination combination_;
  Dfa result_;
  std::vector<std::pair<int32_t, int32_t>> pairs_;
  std::unordered_map<uint64_t, int32_t> numbers_;
};

std::vector<bool> StatesThatEnd(const Dfa& dfa) {
  std::vector<std::vector<int32_t>> before(dfa.states.size());
  std::vector<bool> ends(dfa.states.size());
  for (size_t s = 0; s < dfa.states.size(); ++s) {
    for (const Dfa::Edge& edge : dfa.states[s].edges) {
      if (edge.target != Dfa::kNone)
        before[static_cast<size_t>(edge.target)].push_back(static_cast<int32_t>(s));
    }
    ends[s] = dfa.states[s].accepts;
  }
  return ReachAnEnd(before, std::move(ends));
}

}  // namespace

std::vector<bool> ReachAnEnd(const std::vector<std::vector<int32_t>>& before,
                             std::vector<bool> ends) {
  std::vector<int32_t> work;
  for (size_t s = 0; s < ends.size(); ++s) {
    if (ends[s]) work.push_back(static_cast<int32_t>(s));
  }
  while (!work.empty()) {
    const auto at = static_cast<size_t>(work.back());
    work.pop_back();
    for (const int32_t s : before[at]) {
      if (ends[static_cast<size_t>(s)]) continue;
      ends[static_cast<size_t>(s)] = true;
      work.push_back(s);
    }
  }
  return ends;
}

bool Dfa::Accepts(std::string_view utf8) const {
  int32_t at = states.empty() ? kNone : 0;
  while (!utf8.empty() && at != kNone) {
    const size_t bytes = std::max<size_t>(1, Utf8CharacterBytes(utf8));
    const uint32_t code_point = Utf8CodePoint(utf8, bytes);
    utf8.remove_prefix(bytes);
    const auto& edges = states[static_cast<size_t>(at)].edges;
    at = std::lower_bound(edges.begin(), edges.end(), code_point, [](const Edge& edge, uint32_t c) {
           return edge.last < c;
         })->target;
  }
  return at != kNone && states[static_cast<size_t>(at)].accepts;
}

std::vector<Dfa::Edge> EdgesOf(std::vector<std::pair<CodeRange, int32_t>> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.first.first < b.first.first; });
  std::vector<Dfa::Edge> edges;
  uint32_t next = 0;
  for (const auto& [range, target] : ranges) {
    if (range.first > next) AppendEdge(range.first - 1, Dfa::kNone, &edges);
    AppendEdge(range.last, target, &edges);
    next = range.last + 1;
  }
  if (next <= kLastCodePoint) AppendEdge(kLastCodePoint, Dfa::kNone, &edges);
  return edges;
}

Dfa Trimmed(Dfa dfa) {
  const std::vector<bool> ends = StatesThatEnd(dfa);
  if (ends.empty() || !ends[0]) return {};
  std::vector<int32_t> numbers(dfa.states.size(), Dfa::kNone);
  int32_t next = 0;
  for (size_t s = 0; s < dfa.states.size(); ++s) {
    if (ends[s]) numbers[s] = next++;
  }
  Dfa trimmed;
  for (size_t s = 0; s < dfa.states.size(); ++s) {
    if (!ends[s]) continue;
    Dfa::State state;
    state.accepts = dfa.states[s].accepts;
    for (const Dfa::Edge& edge : dfa.states[s].edges) {
      AppendEdge(edge.last,
                 edge.target == Dfa::kNone ? Dfa::kNone : numbers[static_cast<size_t>(edge.target)],
                 &state.edges);
    }
    trimmed.states.push_back(std::move(state));
  }
  return trimmed;
}

Result<DfaPointer> Combine(const DfaPointer& a, const DfaPointer& b, Combination combination) {
  return Product(*a, *b, combination).Run();
}

DfaPointer AnyText() {
  static const auto any =
      std::make_shared<const Dfa>(Dfa{.states = {{.edges = AnyTo(0), .accepts = true}}});
  return any;
}

DfaPointer NoText() {
  static const auto none = std::make_shared<const Dfa>();
  return none;
}

DfaPointer Words(const std::vector<std::string>& words) {
  if (words.empty()) return NoText();
  std::vector<std::map<uint32_t, int32_t>> tree(1);
  std::vector<bool> ends(1);
  for (const std::string& word : words) {
    size_t at = 0;
    for (std::string_view rest = word; !rest.empty();) {
      const size_t bytes = std::max<size_t>(1, Utf8CharacterBytes(rest));
      const uint32_t code_point = Utf8CodePoint(rest, bytes);
      rest.remove_prefix(bytes);
      const auto [next, is_new] =
          tree[at].try_emplace(code_point, static_cast<int32_t>(tree.size()));
      at = static_cast<size_t>(next->second);
      if (!is_new) continue;
      tree.emplace_back();
      ends.push_back(false);
    }
    ends[at] = true;
  }
  Dfa dfa;
  for (size_t s = 0; s < tree.size(); ++s) {
    std::vector<std::pair<CodeRange, int32_t>> ranges;
    for (const auto& [code_point, next] : tree[s])
      ranges.push_back({{code_point, code_point}, next});
    dfa.states.push_back({.edges = EdgesOf(std::move(ranges)), .accepts = ends[s]});
  }
  return std::make_shared<const Dfa>(std::move(dfa));
}

DfaPointer Lengths(int64_t least, int64_t most) {
  if (least <= 0 && most == Expression::kNoLimit) return AnyText();
  if (most != Expression::kNoLimit && most < least) return NoText();
  const int64_t last = most == Expression::kNoLimit ? least : most;
  Dfa dfa;
  for (int64_t i = 0; i <= last; ++i) {
    const int64_t next = i < last ? i + 1 : most == Expression::kNoLimit ? i : Dfa::kNone;
    dfa.states.push_back({.edges = AnyTo(static_cast<int32_t>(next)), .accepts = i >= least});
  }
  return std::make_shared<const Dfa>(std::move(dfa));
}

std::optional<std::vector<std::string>> TextsOf(const Dfa& dfa, size_t most) {
  // Every state leads to an end: without a loop, each walk from the first state ends in a text, so
  // what is walked before there are too many is `most` texts long.
  struct Visit {
    int32_t state;
    size_t length;  // of the text before its next character
    size_t edge = 0;
    uint32_t next = 0;  // code point to try
  };
  std::vector<std::string> texts;
  std::string text;
  std::vector<bool> on_way(dfa.states.size());
  std::vector<Visit> way;
  const auto enter = [&](int32_t state) {
    if (on_way[static_cast<size_t>(state)]) return false;  // a loop: infinitely many
    on_way[static_cast<size_t>(state)] = true;
    if (dfa.states[static_cast<size_t>(state)].accepts) texts.push_back(text);
    way.push_back({state, text.size()});
    return texts.size() <= most;
  };
  if (!dfa.IsEmpty() && !enter(0)) return std::nullopt;
  while (!way.empty()) {
    Visit& at = way.back();
    const auto& edges = dfa.states[static_cast<size_t>(at.state)].edges;
    while (at.edge < edges.size() &&
           (edges[at.edge].target == Dfa::kNone || at.next > edges[at.edge].last)) {
      at.next = std::max(at.next, edges[at.edge].last + 1);
      ++at.edge;
    }
    text.resize(at.length);
    if (at.edge == edges.size()) {
      on_way[static_cast<size_t>(at.state)] = false;
      way.pop_back();
      continue;
    }
    if (edges[at.edge].last - at.next >= most) return std::nullopt;
    AppendUtf8(at.next++, &text);
    if (!enter(edges[at.edge].target)) return std::nullopt;
  }
  return texts;
}

}  // namespace headway::grammar
