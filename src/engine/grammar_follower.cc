#include "engine/grammar_follower.h"

#include <cmath>
#include <utility>

namespace headway {
namespace {

// Ids that the sampling parameters forbid, one bit each.
std::vector<uint64_t> Banned(const sampling::SamplingParams& params, int64_t vocab_size) {
  std::vector<uint64_t> banned(static_cast<size_t>(vocab_size + 63) / 64,
                               params.allow_ids.empty() ? uint64_t{0} : ~uint64_t{0});
  const auto bit = [](int32_t id) { return uint64_t{1} << (static_cast<size_t>(id) % 64); };
  for (const int32_t id : params.allow_ids) banned[static_cast<size_t>(id) / 64] &= ~bit(id);
  for (const auto& [id, bias] : params.logit_bias) {
    if (std::isinf(bias)) banned[static_cast<size_t>(id) / 64] |= bit(id);
  }
  return banned;
}

}  // namespace

GrammarFollower::GrammarFollower(std::shared_ptr<const grammar::Automaton> automaton,
                                 std::shared_ptr<const grammar::TokenTrie> trie,
                                 const sampling::SamplingParams& params, int64_t vocab_size,
                                 int64_t most_masks)
    : grammar_(std::move(automaton), std::move(trie), Banned(params, vocab_size), vocab_size) {
  masks_.reserve(static_cast<size_t>(most_masks));
  Restart({});
}

void GrammarFollower::Restart(std::span<const int32_t> ids) {
  at_ = grammar_.Start();
  for (const int32_t id : ids) FollowToken(id);
}

Result<int64_t> GrammarFollower::Follow(std::span<const int32_t> drafts) {
  masks_.clear();
  at_ = grammar_.Trim(at_);
  HW_TRY(const grammar::TokenMask* first, grammar_.MaskAt(at_));
  masks_.push_back(first);
  grammar::TokenGrammar::Position at = at_;
  for (const int32_t draft : drafts) {
    if (!masks_.back()->Allows(draft)) break;
    at = grammar_.After(at, draft);
    const auto next = grammar_.MaskAt(at);
    if (!next) break;
    masks_.push_back(*next);
  }
  return static_cast<int64_t>(masks_.size()) - 1;
}

}  // namespace headway
