#include "grammar/shortest_ends.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <utility>

namespace headway::grammar {
namespace {

// A way that begins with a step of `from` is known once those of all states that it needs are.
struct Dependent {
  int32_t from = 0;
  ShortestEnds::Move move = {};
};

}  // namespace

// Knuth 1977, "A generalization of Dijkstra's algorithm": states are settled in the order of their
// lengths, and a call is looked at when both its rule and what follows it are settled. Each move
// leads to states that were settled before, so ways made of them end.
ShortestEnds::ShortestEnds(const Automaton& automaton)
    : bytes_(static_cast<size_t>(automaton.NumStates()), static_cast<int32_t>(kNever)),
      moves_(static_cast<size_t>(automaton.NumStates())) {
  const auto num_states = static_cast<size_t>(automaton.NumStates());
  std::vector<std::vector<Dependent>> needed_by(num_states);
  using Entry = std::pair<int32_t, int32_t>;  // bytes, state
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  const auto offer = [&](int32_t state, int64_t bytes, Move move) {
    int32_t& best = bytes_[static_cast<size_t>(state)];
    if (bytes >= best) return;
    best = static_cast<int32_t>(bytes);
    moves_[static_cast<size_t>(state)] = move;
    open.emplace(best, state);
  };
  for (size_t s = 0; s < num_states; ++s) {
    const auto from = static_cast<int32_t>(s);
    const Automaton::State& state = automaton.At(from);
    const auto need = [&](int32_t other, Step step, size_t index) {
      needed_by[static_cast<size_t>(other)].push_back(
          {.from = from, .move = {.step = step, .index = static_cast<int32_t>(index)}});
    };
    for (size_t i = 0; i < state.edges.size(); ++i) need(state.edges[i].target, Step::kByte, i);
    for (size_t i = 0; i < state.jumps.size(); ++i) need(state.jumps[i], Step::kJump, i);
    for (size_t i = 0; i < state.calls.size(); ++i) {
      need(state.calls[i].start, Step::kCall, i);
      if (!state.calls[i].is_last) need(state.calls[i].return_to, Step::kCall, i);
    }
    if (state.ends_rule) offer(from, 0, {.step = Step::kEnd});
  }
  std::vector<bool> settled(num_states, false);
  while (!open.empty()) {
    const int32_t at = open.top().second;
    open.pop();
    if (settled[static_cast<size_t>(at)]) continue;
    settled[static_cast<size_t>(at)] = true;
    for (const Dependent& way : needed_by[static_cast<size_t>(at)]) {
      int64_t bytes = BytesFrom(at) + (way.move.step == Step::kByte ? 1 : 0);
      if (way.move.step == Step::kCall) {
        const Automaton::Call& call =
            automaton.At(way.from).calls[static_cast<size_t>(way.move.index)];
        if (!settled[static_cast<size_t>(call.start)]) continue;
        bytes = BytesFrom(call.start);
        if (!call.is_last) {
          if (!settled[static_cast<size_t>(call.return_to)]) continue;
          bytes += BytesFrom(call.return_to);
        }
      }
      offer(way.from, std::min(bytes, kNever - 1), way.move);
    }
  }
}

const ShortestEnds& Automaton::Ends() const {
  std::call_once(ends_->once, [&] { ends_->made = std::make_shared<const ShortestEnds>(*this); });
  return *ends_->made;
}

}  // namespace headway::grammar
