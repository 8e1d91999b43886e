#include "grammar/automaton.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "grammar/code_points.h"

namespace headway::grammar {

class AutomatonBuilder {
 public:
  explicit AutomatonBuilder(size_t most_states) : most_states_(most_states) {}

  Result<Automaton> Run(const Rules& rules, const std::string& root) {
    if (rules.find(root) == rules.end()) {
      return Fail(ErrorCode::kInvalidInput, fmt::format("expected a rule '{}', found none", root));
    }
    for (const auto& [name, body] : rules) starts_[name] = NewState();
    for (const auto& [name, body] : rules) {
      rule_ = &name;
      HW_TRY(const int32_t end, Add(body, starts_[name]));
      At(end).ends_rule = true;
    }
    MarkLastCalls();
    HW_TRY_VOID(CheckLeftRecursion());
    ClassifyBytes();
    result_.start_ = starts_[root];
    return std::move(result_);
  }

 private:
  Automaton::State& At(int32_t state) { return result_.states_[static_cast<size_t>(state)]; }

  int32_t NewState() {
    result_.states_.emplace_back();
    return static_cast<int32_t>(result_.states_.size()) - 1;
  }

  // Adds what matches `e` from state `from` on and returns the state after it. Where that state is
  // `from` itself nothing was added.
  Result<int32_t> Add(const Expression& e, int32_t from) {
    if (result_.states_.size() > most_states_) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("rule '{}': expected a grammar of at most {} states, repetitions "
                              "written out, found more",
                              *rule_, most_states_));
    }
    switch (e.kind) {
      case Expression::Kind::kText:
        for (const char c : e.text) {
          const int32_t next = NewState();
          At(from).edges.push_back({static_cast<uint8_t>(c), static_cast<uint8_t>(c), next});
          from = next;
        }
        return from;
      case Expression::Kind::kClass:
        return AddClass(e, from);
      case Expression::Kind::kRule: {
        const auto called = starts_.find(e.text);
        if (called == starts_.end()) {
          return Fail(ErrorCode::kInvalidInput,
                      fmt::format("rule '{}': expected a definition of the rule '{}', found none",
                                  *rule_, e.text));
        }
        const int32_t next = NewState();
        At(from).calls.push_back({called->second, next, false});
        return next;
      }
      case Expression::Kind::kSequence:
        for (const Expression& part : e.parts) {
          HW_TRY(from, Add(part, from));
        }
        return from;
      case Expression::Kind::kChoice: {
        const int32_t end = NewState();
        for (const Expression& part : e.parts) {
          HW_TRY(const int32_t part_end, Add(part, from));
          At(part_end).jumps.push_back(end);
        }
        return end;
      }
      case Expression::Kind::kRepeat:
        return AddRepeat(e, from);
      case Expression::Kind::kMachine:
        return AddMachine(*e.machine, from);
    }
    return from;
  }

  Result<int32_t> AddMachine(const Machine& machine, int32_t from) {
    const int32_t end = NewState();
    const int32_t first = static_cast<int32_t>(result_.states_.size());
    for (size_t i = 0; i < machine.states.size(); ++i) NewState();
    if (!machine.states.empty()) At(from).jumps.push_back(first);
    for (size_t i = 0; i < machine.states.size(); ++i) {
      const int32_t state = first + static_cast<int32_t>(i);
      for (const Machine::Edge& edge : machine.states[i].edges) {
        HW_TRY(const int32_t next, Add(edge.what, state));
        At(next).jumps.push_back(first + edge.target);
      }
      if (machine.states[i].ends) At(state).jumps.push_back(end);
    }
    return end;
  }

  Result<int32_t> AddRepeat(const Expression& e, int32_t from) {
    for (int64_t i = 0; i < e.least; ++i) {
      HW_TRY(const int32_t next, Add(e.parts.front(), from));
      if (next == from) return from;  // the empty text, any number of times
      from = next;
    }
    const int32_t end = NewState();
    if (e.most == Expression::kNoLimit) {
      const int32_t loop = NewState();  // of its own: nothing before it may come back to it
      At(from).jumps.push_back(loop);
      HW_TRY(const int32_t again, Add(e.parts.front(), loop));
      if (again != loop) At(again).jumps.push_back(loop);
      At(loop).jumps.push_back(end);
      return end;
    }
    for (int64_t i = e.least; i < e.most; ++i) {
      At(from).jumps.push_back(end);
      HW_TRY(const int32_t next, Add(e.parts.front(), from));
      if (next == from) break;
      from = next;
    }
    At(from).jumps.push_back(end);
    return end;
  }

  // Built from the last byte to the first, so that sequences share their ends.
  Result<int32_t> AddClass(const Expression& e, int32_t from) {
    const int32_t end = NewState();
    std::map<std::tuple<uint8_t, uint8_t, int32_t>, int32_t> tails;
    for (const CodeRange& range : e.ranges) {
      for (const std::vector<ByteRange>& sequence : Utf8Sequences(range)) {
        int32_t target = end;
        for (size_t i = sequence.size(); i-- > 1;) {
          const auto [first, last] = sequence[i];
          const auto [tail, is_new] = tails.try_emplace({first, last, target}, 0);
          if (is_new) {
            tail->second = NewState();
            At(tail->second).edges.push_back({first, last, target});
          }
          target = tail->second;
        }
        At(from).edges.push_back({sequence.front().first, sequence.front().last, target});
      }
    }
    return end;
  }

  // A call behind which only the rule's end lies needs no return address: "list ::= item list" then
  // runs in constant space.
  void MarkLastCalls() {
    std::vector<int32_t> reached;
    for (size_t s = 0; s < result_.states_.size(); ++s) {
      for (Automaton::Call& call : result_.states_[s].calls) {
        call.is_last = OnlyEnds(call.return_to, &reached);
      }
    }
  }

  bool OnlyEnds(int32_t state, std::vector<int32_t>* reached) {
    constexpr size_t kFarEnough = 64;
    reached->assign(1, state);
    bool ends = false;
    for (size_t i = 0; i < reached->size(); ++i) {
      const Automaton::State& s = At((*reached)[i]);
      if (!s.edges.empty() || !s.calls.empty() || reached->size() > kFarEnough) return false;
      ends = ends || s.ends_rule;
      for (const int32_t jump : s.jumps) {
        if (std::find(reached->begin(), reached->end(), jump) == reached->end())
          reached->push_back(jump);
      }
    }
    return ends;
  }

  // What a rule can reach without consuming a byte.
  struct Reach {
    bool end = false;
    std::set<int32_t> called;  // rules, by start
  };
  Reach ReachOf(int32_t start, const std::map<int32_t, bool>& can_be_empty) {
    Reach reach;
    std::set<int32_t> seen = {start};
    std::vector<int32_t> work = {start};
    const auto visit = [&](int32_t state) {
      if (seen.insert(state).second) work.push_back(state);
    };
    while (!work.empty()) {
      const Automaton::State& s = At(work.back());
      work.pop_back();
      reach.end = reach.end || s.ends_rule;
      for (const int32_t jump : s.jumps) visit(jump);
      for (const Automaton::Call& call : s.calls) {
        reach.called.insert(call.start);
        if (can_be_empty.at(call.start)) visit(call.return_to);
      }
    }
    return reach;
  }

  // A rule that begins with itself would be called forever.
  Result<void> CheckLeftRecursion() {
    std::map<int32_t, bool> can_be_empty;
    for (const auto& [name, start] : starts_) can_be_empty[start] = false;
    for (bool changed = true; changed;) {
      changed = false;
      for (auto& [start, empty] : can_be_empty) {
        if (!empty && ReachOf(start, can_be_empty).end) changed = empty = true;
      }
    }
    // Rules that begin with no other rule are done; so are those that begin with done ones only.
    std::map<int32_t, std::set<int32_t>> begins_with;
    std::map<int32_t, std::vector<int32_t>> begun_by;
    std::vector<int32_t> done;
    for (const auto& [start, empty] : can_be_empty) {
      begins_with[start] = ReachOf(start, can_be_empty).called;
      for (const int32_t called : begins_with[start]) begun_by[called].push_back(start);
      if (begins_with[start].empty()) done.push_back(start);
    }
    size_t num_done = 0;
    while (!done.empty()) {
      const int32_t rule = done.back();
      done.pop_back();
      ++num_done;
      for (const int32_t caller : begun_by[rule]) {
        begins_with[caller].erase(rule);
        if (begins_with[caller].empty()) done.push_back(caller);
      }
    }
    if (num_done == starts_.size()) return {};
    for (const auto& [name, start] : starts_) {
      if (!OnCycle(start, begins_with)) continue;
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("rule '{}': expected a rule that does not begin with itself, found "
                              "left recursion",
                              name));
    }
    return {};
  }

  static bool OnCycle(int32_t rule, const std::map<int32_t, std::set<int32_t>>& begins_with) {
    std::set<int32_t> seen;
    std::vector<int32_t> work = {rule};
    while (!work.empty()) {
      const int32_t at = work.back();
      work.pop_back();
      for (const int32_t next : begins_with.at(at)) {
        if (next == rule) return true;
        if (seen.insert(next).second) work.push_back(next);
      }
    }
    return false;
  }

  void ClassifyBytes() {
    std::array<bool, 257> begins_class{};
    begins_class[0] = true;
    for (const Automaton::State& state : result_.states_) {
      for (const Automaton::Edge& edge : state.edges) {
        begins_class[edge.first] = true;
        begins_class[static_cast<size_t>(edge.last) + 1] = true;
      }
    }
    int32_t current = -1;
    for (size_t byte = 0; byte < 256; ++byte) {
      current += begins_class[byte] ? 1 : 0;
      result_.byte_class_[byte] = current;
    }
    result_.num_byte_classes_ = current + 1;
  }

  const size_t most_states_;
  Automaton result_;
  std::map<std::string, int32_t> starts_;  // first states of the rules
  const std::string* rule_ = nullptr;      // being built
};

Result<Automaton> Automaton::Build(const Rules& rules, const std::string& root,
                                   size_t most_states) {
  return AutomatonBuilder(most_states).Run(rules, root);
}

}  // namespace headway::grammar
