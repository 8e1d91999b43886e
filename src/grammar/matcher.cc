#include "grammar/matcher.h"

#include <algorithm>

namespace headway::grammar {
namespace {

// Ways to read a text that are followed at once. Real grammars have a handful; one that doubles
// them with every byte must not take the machine along.
constexpr size_t kMostConfigurations = 20000;

uint64_t Pair(int32_t a, int32_t b) {
  return static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b);
}

}  // namespace

Matcher::Matcher(std::shared_ptr<const Automaton> automaton)
    : automaton_(std::move(automaton)), num_classes_(automaton_->NumByteClasses()) {
  frames_.push_back({-1, -1});
}

Matcher::Position Matcher::Start() {
  work_.assign(1, {automaton_->Start(), kEmptyStack});
  return Close();
}

Matcher::Position Matcher::Compute(Position position, uint8_t byte) {
  work_.clear();
  for (const Configuration& c : sets_[static_cast<size_t>(position)]->configurations) {
    for (const Automaton::Edge& edge : automaton_->At(c.state).edges) {
      if (edge.first <= byte && byte <= edge.last) work_.push_back({edge.target, c.stack});
    }
  }
  const Position next = work_.empty() ? kDead : Close();
  transitions_[Cell(position, byte)] = next;
  return next;
}

int32_t Matcher::Push(int32_t return_to, int32_t below) {
  const auto [found, is_new] =
      frame_numbers_.try_emplace(Pair(return_to, below), static_cast<int32_t>(frames_.size()));
  if (is_new) frames_.push_back({return_to, below});
  return found->second;
}

Matcher::Position Matcher::Close() {
  Set set;
  seen_.clear();
  const auto visit = [&](int32_t state, int32_t stack) {
    if (seen_.emplace(Pair(state, stack), true).second) work_.push_back({state, stack});
  };
  std::vector<Configuration> first;
  first.swap(work_);
  for (const Configuration& c : first) visit(c.state, c.stack);
  while (!work_.empty()) {
    if (seen_.size() > kMostConfigurations) {
      too_ambiguous_ = true;
      return kDead;
    }
    const Configuration c = work_.back();
    work_.pop_back();
    const Automaton::State& state = automaton_->At(c.state);
    if (!state.edges.empty()) set.configurations.push_back(c);
    for (const int32_t jump : state.jumps) visit(jump, c.stack);
    for (const Automaton::Call& call : state.calls) {
      visit(call.start, call.is_last ? c.stack : Push(call.return_to, c.stack));
    }
    if (!state.ends_rule) continue;
    if (c.stack == kEmptyStack) {
      set.can_end = true;
    } else {
      const Frame frame = frames_[static_cast<size_t>(c.stack)];
      visit(frame.return_to, frame.below);
    }
  }
  if (set.configurations.empty() && !set.can_end) return kDead;
  std::sort(set.configurations.begin(), set.configurations.end());
  return Number(std::move(set));
}

Matcher::Position Matcher::Number(Set set) {
  const auto [found, is_new] =
      numbers_.try_emplace(std::move(set), static_cast<Position>(sets_.size()));
  if (is_new) {
    sets_.push_back(&found->first);
    transitions_.resize(transitions_.size() + static_cast<size_t>(num_classes_), kUnknown);
  }
  return found->second;
}

Matcher::Position Matcher::Forget(Position keep) {
  // Stacks are written out and made again, below first.
  Set kept = *sets_[static_cast<size_t>(keep)];
  const std::vector<Frame> old = std::move(frames_);
  numbers_.clear();
  sets_.clear();
  transitions_.clear();
  frame_numbers_.clear();
  frames_.assign(1, {-1, -1});
  std::vector<int32_t> path;
  for (Configuration& c : kept.configurations) {
    path.clear();
    for (int32_t at = c.stack; at != kEmptyStack; at = old[static_cast<size_t>(at)].below)
      path.push_back(old[static_cast<size_t>(at)].return_to);
    c.stack = kEmptyStack;
    for (size_t i = path.size(); i-- > 0;) c.stack = Push(path[i], c.stack);
  }
  std::sort(kept.configurations.begin(), kept.configurations.end());
  return Number(std::move(kept));
}

}  // namespace headway::grammar
