#pragma once

// A grammar over the tokens of a vocabulary: which ones may come next. Masks are computed once for
// every position of the grammar that is met. One conversation's; not thread-safe.

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "grammar/automaton.h"
#include "grammar/end_planner.h"
#include "grammar/matcher.h"
#include "grammar/token_trie.h"

namespace headway::grammar {

// The tokens that may come next.
struct TokenMask {
  std::vector<uint64_t> bits;  // one a token
  int64_t count = 0;
  std::vector<int32_t> few;  // the ids, ascending, when there are at most kFew
  static constexpr int64_t kFew = 2048;
  friend bool operator==(const TokenMask&, const TokenMask&) = default;

  void Allow(int32_t id) {
    bits[static_cast<size_t>(id) / 64] |= uint64_t{1} << (static_cast<size_t>(id) % 64);
  }
  bool Allows(int32_t id) const {
    return (bits[static_cast<size_t>(id) / 64] >> (static_cast<size_t>(id) % 64) & 1) != 0;
  }
};

class TokenGrammar {
 public:
  using Position = Matcher::Position;
  static constexpr Position kEnded = -3;  // after an end token
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  // `trie` may be shared. `banned`: tokens never allowed, whatever the grammar says; bit a token,
  // empty for none. Masks have (vocab_size + 63) / 64 words; vocab_size is at least the trie's.
  TokenGrammar(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTrie> trie,
               std::vector<uint64_t> banned, int64_t vocab_size);

  TokenGrammar(const TokenGrammar&) = delete;  // the planner looks at the matcher
  TokenGrammar& operator=(const TokenGrammar&) = delete;

  Position Start();

  // The mask at a position; valid until Trim(). End tokens are allowed where the text is complete.
  // Errors: kInvalidInput, when no token is allowed; kUnsupported, when the grammar can be read in
  // too many ways at once. Nothing changes then.
  Result<const TokenMask*> MaskAt(Position position);

  // The same where at most `most_tokens` (1 or more) may be written, this one among them: only tokens
  // after which the text can still be completed, as far as there is one; the soonest, where none is
  // soon enough. With kNoLimit: as above.
  Result<const TokenMask*> MaskAt(Position position, int64_t most_tokens);
  // Whether the text can be completed with so many tokens, as far as EndPlanner::Tokens() knows.
  bool CanEndWithin(Position position, int64_t most_tokens);
  // The least `most_tokens` for which it is true; none: not known of any.
  std::optional<int64_t> TokensOfShortestText(Position position);

  // The position after an allowed token.
  Position After(Position position, int32_t token);

  // True when the text is complete, no token is allowed to follow, and none to say so: the vocabulary
  // has no end token, or it is banned.
  bool IsOver(Position position);
  // Whether the text is complete, and whether that is all that it can be.
  bool IsComplete(Position position) const {
    return position == kEnded || (position >= 0 && matcher_.CanEnd(position));
  }
  bool IsFinal(Position position) const {
    return position == kEnded || (position >= 0 && matcher_.IsFinal(position));
  }

  // Frees what was remembered, when it is much. Positions other than `keep` become invalid.
  Position Trim(Position keep);

 private:
  // Where a mask's tokens lead; only what budgets need.
  struct Ends {
    std::vector<Position> after;  // each once
    int64_t most_bytes = 0;       // to the end, from any of them
    int64_t least_tokens = -1;    // -1: not looked at yet
    int64_t most_tokens = -1;
  };

  EndPlanner& Planner();
  // Calls visit(id, position after it) for the tokens that the grammar allows, end tokens excepted.
  template <class Visit>
  void ForTokens(Position position, const Visit& visit);
  void Finish(Position position, TokenMask* mask) const;
  TokenMask Compute(Position position, Ends* ends_or_null);
  TokenMask Limited(Position position, int64_t most_tokens_after);

  const std::shared_ptr<const Automaton> automaton_;
  Matcher matcher_;
  const std::shared_ptr<const TokenTrie> trie_;
  const std::vector<uint64_t> banned_;
  const int64_t vocab_size_;
  bool may_say_end_ = false;             // some end token is not banned
  std::unique_ptr<EndPlanner> planner_;  // null: no budget was asked for yet
  std::unordered_map<Position, TokenMask> masks_;
  std::unordered_map<Position, Ends> ends_;
  std::unordered_map<uint64_t, TokenMask> limited_;  // by position and limit; until Trim()
  std::vector<Position> path_;                       // by depth in the trie
  std::vector<bool> seen_;                           // by position; while a mask is computed
};

}  // namespace headway::grammar
