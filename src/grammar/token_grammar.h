#pragma once

// A grammar over the tokens of a vocabulary: which ones may come next. Masks are computed once for
// every position of the grammar that is met. One conversation's; not thread-safe.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "grammar/automaton.h"
#include "grammar/matcher.h"
#include "grammar/token_trie.h"

namespace headway::grammar {

// The tokens that may come next.
struct TokenMask {
  std::vector<uint64_t> bits;  // one a token
  int64_t count = 0;
  std::vector<int32_t> few;  // the ids, ascending, when there are at most kFew
  static constexpr int64_t kFew = 2048;

  bool Allows(int32_t id) const {
    return (bits[static_cast<size_t>(id) / 64] >> (static_cast<size_t>(id) % 64) & 1) != 0;
  }
};

class TokenGrammar {
 public:
  using Position = Matcher::Position;
  static constexpr Position kEnded = -3;  // after an end token

  // `trie` may be shared. `banned`: tokens never allowed, whatever the grammar says; bit a token,
  // empty for none. Masks have (vocab_size + 63) / 64 words; vocab_size is at least the trie's.
  TokenGrammar(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTrie> trie,
               std::vector<uint64_t> banned, int64_t vocab_size);

  Position Start();

  // The mask at a position; valid until Trim(). End tokens are allowed where the text is complete.
  // Errors: kInvalidInput, when no token is allowed; kUnsupported, when the grammar can be read in
  // too many ways at once. Nothing changes then.
  Result<const TokenMask*> MaskAt(Position position);

  // The position after an allowed token.
  Position After(Position position, int32_t token);

  // True when the text is complete, nothing can follow, and the vocabulary has no token to say so.
  bool IsOver(Position position) const;

  // Frees what was remembered, when it is much. Positions other than `keep` become invalid.
  Position Trim(Position keep);

 private:
  TokenMask Compute(Position position);

  Matcher matcher_;
  const std::shared_ptr<const TokenTrie> trie_;
  const std::vector<uint64_t> banned_;
  const int64_t vocab_size_;
  std::unordered_map<Position, TokenMask> masks_;
  std::vector<Position> path_;  // by depth in the trie
};

}  // namespace headway::grammar
