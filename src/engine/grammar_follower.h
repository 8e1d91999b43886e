#pragma once

// A conversation's place in its grammar, and what the grammar allows at the positions of a step.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "grammar/token_grammar.h"
#include "sampling/sampling_params.h"

namespace headway {

using TokenMasks = std::span<const grammar::TokenMask* const>;

class GrammarFollower {
 public:
  // Steps of up to `most_masks` positions. What `params` forbid is never allowed.
  GrammarFollower(std::shared_ptr<const grammar::Automaton> automaton,
                  std::shared_ptr<const grammar::TokenTrie> trie,
                  const sampling::SamplingParams& params, int64_t vocab_size, int64_t most_masks);

  // The grammar's text is `ids`.
  void Restart(std::span<const int32_t> ids);
  // It goes on with an allowed token.
  void FollowToken(int32_t token) { at_ = grammar_.After(at_, token); }
  // True when it is complete, nothing can follow, and no token may say so.
  bool IsOver() { return grammar_.IsOver(at_); }
  bool IsComplete() const { return grammar_.IsComplete(at_); }
  // Complete, and nothing can follow.
  bool IsFinal() const { return grammar_.IsFinal(at_); }

  // Tokens with which the grammar's text can be completed from its start; none: not known.
  std::optional<int64_t> TokensOfShortestText() {
    return grammar_.TokensOfShortestText(grammar_.Start());
  }

  // Finds the masks of the next position and of those after the drafts; returns how many drafts are
  // allowed. Drafts that lead where no token is allowed are left to later steps, which report it.
  // Errors: kInvalidInput when no token may come next, kUnsupported (TokenGrammar::MaskAt).
  // `most_tokens`: that may be written from here on; the text is kept such that it can be completed
  // with them, if it could be when it began. kNoLimit: any number.
  Result<int64_t> Follow(std::span<const int32_t> drafts, int64_t most_tokens);
  static constexpr int64_t kNoLimit = grammar::TokenGrammar::kNoLimit;
  // Of the last Follow().
  TokenMasks Masks() const { return masks_; }

 private:
  grammar::TokenGrammar grammar_;
  grammar::TokenGrammar::Position at_ = 0;
  // Whether the budget is enough, by the first step; none: no step yet.
  std::optional<bool> can_finish_;
  std::vector<const grammar::TokenMask*> masks_;
};

}  // namespace headway
