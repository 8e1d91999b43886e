#pragma once

// What it took to choose each token of an answer: who chose it, how much of the head was read for it,
// and the time. Told to clients that ask for it ("headway": {"per_token": true}, docs/serving.md).

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/pipeline.h"
#include "engine/scheduled_request.h"
#include "server/json.h"

namespace headway::server {

struct TokenFacts {
  enum class Chooser {
    kFull,       // a head that scores every token
    kCertified,  // a certified head that read a part
    kFallback,   // a certified head that had to read everything
    kForced,     // the grammar, which allowed no other token: no head ran
  };
  Chooser chooser = Chooser::kFull;
  bool was_drafted = false;  // guessed ahead, and right
  bool is_timed = false;     // false: the prompt's step chose it, whose time is the prompt's
  // Of a certified head: what it would have read for this token alone. Of others: the token's part
  // of what the step read; 0 where is_timed is false.
  uint64_t head_bytes = 0;
  uint64_t rows_exact = 0;  // rows of a certified head that were computed in full
  // The step's, an equal part for each token that it chose for this conversation.
  uint64_t layers_ns = 0;
  uint64_t head_ns = 0;
};

// Follows one conversation.
class TokenFactsReader {
 public:
  // One each of the step's choices. Every step must be told.
  std::vector<TokenFacts> Read(const NewTokens& tokens);

 private:
  // The conversation's counters after the step before.
  uint64_t steps_ = 0;
  uint64_t forced_ = 0;
  uint64_t layers_ns_ = 0;
  uint64_t head_ns_ = 0;
  uint64_t head_bytes_ = 0;
};

// "full", "certified", "fallback", "forced".
std::string_view ChooserName(TokenFacts::Chooser chooser);
// The bytes of a whole head's weights.
uint64_t WholeHeadBytes(const Pipeline& pipeline);
// {"chosen_by", "drafted", "head_bytes", "head_share", "rows_exact", "layers_ms", "head_ms"}; what is
// not known is null.
Json TokenFactsJson(const TokenFacts& facts, uint64_t whole_head_bytes);

}  // namespace headway::server
