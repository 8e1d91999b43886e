#pragma once

// How soon a text can end from a position of a matcher, in bytes and in tokens of a vocabulary. One
// conversation's; not thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/matcher.h"
#include "grammar/shortest_ends.h"
#include "grammar/token_trie.h"

namespace headway::grammar {

// `banned`: a bit a token; may be empty.
inline bool IsBanned(const std::vector<uint64_t>& banned, int32_t id) {
  const auto bit = static_cast<size_t>(id);
  return !banned.empty() && (banned[bit / 64] >> (bit % 64) & 1) != 0;
}

class EndPlanner {
 public:
  static constexpr int64_t kNever = ShortestEnds::kNever;

  // All must outlive the planner. `banned`: a bit a token that cannot be written; may be empty.
  EndPlanner(const Automaton& automaton, const Matcher& matcher, const TokenTrie& trie,
             const std::vector<uint64_t>& banned);

  // The fewest bytes after which the text is complete; kNever when it cannot be.
  int64_t Bytes(Matcher::Position position);
  // The tokens of one such way of fewest bytes, each as long as can be: at least as many as the best
  // way has. Taking the first of them leaves one fewer. kNever when the vocabulary cannot spell it.
  int64_t Tokens(Matcher::Position position);
  // That way.
  std::string ShortestText(Matcher::Position position);

  // Positions have changed (Matcher::Forget()).
  void Forget();

 private:
  int64_t BytesBelow(int32_t stack);
  size_t LongestToken(std::string_view text) const;

  const Automaton& automaton_;
  const Matcher& matcher_;
  const TokenTrie& trie_;
  const std::vector<uint64_t>& banned_;
  const ShortestEnds& ends_;
  // By position or stack; kNotYet: not looked at.
  std::vector<int64_t> bytes_;
  std::vector<int64_t> tokens_;
  std::vector<int64_t> below_;
};

}  // namespace headway::grammar
