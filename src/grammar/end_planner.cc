#include "grammar/end_planner.h"

#include <algorithm>

namespace headway::grammar {
namespace {

constexpr int64_t kNotYet = -1;
// Longer ways fit into no budget.
constexpr int64_t kLongestText = int64_t{1} << 20;

// What a gap is filled with: letters rather than what comes first in a class.
char Filling(const Automaton::Edge& edge) {
  constexpr uint8_t kLetter = 'a';
  return static_cast<char>(edge.first <= kLetter && kLetter <= edge.last ? kLetter : edge.first);
}

}  // namespace

EndPlanner::EndPlanner(const Automaton& automaton, const Matcher& matcher, const TokenTrie& trie,
                       const std::vector<uint64_t>& banned)
    : automaton_(automaton),
      matcher_(matcher),
      trie_(trie),
      banned_(banned),
      ends_(automaton.Ends()) {}

void EndPlanner::Forget() {
  bytes_.clear();
  tokens_.clear();
  below_.clear();
}

// Frames are made after those below them.
int64_t EndPlanner::BytesBelow(int32_t stack) {
  for (auto s = static_cast<int32_t>(below_.size()); s <= stack; ++s) {
    if (s == Matcher::kEmptyStack) {
      below_.push_back(0);
      continue;
    }
    const Matcher::Frame frame = matcher_.FrameOf(s);
    below_.push_back(std::min(
        kNever, ends_.BytesFrom(frame.return_to) + below_[static_cast<size_t>(frame.below)]));
  }
  return below_[static_cast<size_t>(stack)];
}

int64_t EndPlanner::Bytes(Matcher::Position position) {
  if (position < 0) return kNever;
  const auto index = static_cast<size_t>(position);
  if (index >= bytes_.size()) bytes_.resize(static_cast<size_t>(matcher_.NumPositions()), kNotYet);
  int64_t& best = bytes_[index];
  if (best != kNotYet) return best;
  best = matcher_.CanEnd(position) ? 0 : kNever;
  if (best == 0) return 0;
  for (const Matcher::Configuration& way : matcher_.Ways(position))
    best = std::min(best, ends_.BytesFrom(way.state) + BytesBelow(way.stack));
  return best;
}

std::string EndPlanner::ShortestText(Matcher::Position position) {
  const int64_t length = Bytes(position);
  std::string text;
  if (length == 0 || length > kLongestText) return text;
  const auto ways = matcher_.Ways(position);
  const auto best = std::find_if(ways.begin(), ways.end(), [&](const auto& way) {
    return ends_.BytesFrom(way.state) + BytesBelow(way.stack) == length;
  });
  std::vector<int32_t> returns;  // of calls on the way; then come the stack's
  int32_t state = best->state;
  int32_t stack = best->stack;
  while (true) {
    const ShortestEnds::Move move = ends_.MoveFrom(state);
    const Automaton::State& at = automaton_.At(state);
    const auto index = static_cast<size_t>(move.index);
    switch (move.step) {
      case ShortestEnds::Step::kByte:
        text += Filling(at.edges[index]);
        state = at.edges[index].target;
        break;
      case ShortestEnds::Step::kJump:
        state = at.jumps[index];
        break;
      case ShortestEnds::Step::kCall:
        if (!at.calls[index].is_last) returns.push_back(at.calls[index].return_to);
        state = at.calls[index].start;
        break;
      case ShortestEnds::Step::kEnd:
      case ShortestEnds::Step::kNone:
        if (!returns.empty()) {
          state = returns.back();
          returns.pop_back();
        } else if (stack == Matcher::kEmptyStack) {
          return text;
        } else {
          const Matcher::Frame frame = matcher_.FrameOf(stack);
          state = frame.return_to;
          stack = frame.below;
        }
    }
  }
}

// Bytes of the longest token that `text` begins with; 0: there is none.
size_t EndPlanner::LongestToken(std::string_view text) const {
  const auto nodes = trie_.Nodes();
  const auto may_be_written = [&](const TokenTrie::Node& node) {
    for (int32_t t = 0; t < node.num_tokens; ++t) {
      const int32_t id = trie_.TokenAt(node.first_token + t);
      if (!IsBanned(banned_, id)) return true;
    }
    return false;
  };
  size_t longest = 0;
  size_t child = 0;
  size_t end = nodes.size();
  for (size_t depth = 0; depth < text.size(); ++depth) {
    const auto byte = static_cast<uint8_t>(text[depth]);
    while (child < end && nodes[child].byte != byte)
      child = static_cast<size_t>(nodes[child].after);
    if (child >= end) break;
    if (may_be_written(nodes[child])) longest = depth + 1;
    end = static_cast<size_t>(nodes[child].after);
    ++child;
  }
  return longest;
}

int64_t EndPlanner::Tokens(Matcher::Position position) {
  const int64_t bytes = Bytes(position);
  if (bytes == 0) return 0;
  if (bytes > kLongestText) return kNever;
  if (tokens_.size() < bytes_.size()) tokens_.resize(bytes_.size(), kNotYet);
  int64_t& known = tokens_[static_cast<size_t>(position)];
  if (known != kNotYet) return known;
  const std::string text = ShortestText(position);
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    const size_t length = LongestToken(std::string_view(text).substr(at));
    if (length == 0) return known = kNever;
    at += length;
  }
  return known = count;
}

}  // namespace headway::grammar
