#include "grammar/token_grammar.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace headway::grammar {
namespace {

// A mask of 200,064 tokens has 25 kB.
constexpr size_t kMostMasks = 1024;
constexpr int64_t kMostPositions = 50000;

}  // namespace

TokenGrammar::TokenGrammar(std::shared_ptr<const Automaton> automaton,
                           std::shared_ptr<const TokenTrie> trie, std::vector<uint64_t> banned,
                           int64_t vocab_size)
    : automaton_(std::move(automaton)),
      matcher_(automaton_),
      trie_(std::move(trie)),
      banned_(std::move(banned)),
      vocab_size_(vocab_size),
      path_(static_cast<size_t>(trie_->LongestToken()) + 1) {
  for (const int32_t id : trie_->EndIds()) {
    const auto bit = static_cast<size_t>(id);
    may_say_end_ |= banned_.empty() || (banned_[bit / 64] >> (bit % 64) & 1) == 0;
  }
}

TokenGrammar::Position TokenGrammar::Start() { return matcher_.Start(); }

Result<const TokenMask*> TokenGrammar::MaskAt(Position position) {
  if (position == kEnded)
    return Fail(ErrorCode::kInvalidInput, "grammar: expected a text that goes on, found its end");
  if (position != Matcher::kDead) {
    auto found = masks_.find(position);
    if (found == masks_.end()) {
      found = masks_.emplace(position, Compute(position, nullptr)).first;
    }
    if (matcher_.TooAmbiguous()) {
      return Fail(
          ErrorCode::kUnsupported,
          "grammar: expected one that can be read in at most 20000 ways at once, found more");
    }
    if (found->second.count > 0) return &found->second;
  } else if (matcher_.TooAmbiguous()) {
    return Fail(ErrorCode::kUnsupported,
                "grammar: expected one that can be read in at most 20000 ways at once, found more");
  }
  return Fail(ErrorCode::kInvalidInput,
              "grammar: expected a token that may come next, found none in the vocabulary");
}

template <class Visit>
void TokenGrammar::ForTokens(Position position, const Visit& visit) {
  const auto nodes = trie_->Nodes();
  path_[0] = position;
  for (size_t i = 0; i < nodes.size();) {
    const TokenTrie::Node& node = nodes[i];
    const auto depth = static_cast<size_t>(node.depth);
    const Position next = matcher_.Next(path_[depth - 1], node.byte);
    if (next == Matcher::kDead) {
      i = static_cast<size_t>(node.after);
      continue;
    }
    path_[depth] = next;
    for (int32_t t = 0; t < node.num_tokens; ++t) visit(trie_->TokenAt(node.first_token + t), next);
    ++i;
  }
}

// Adds end tokens, takes away what is banned, counts.
void TokenGrammar::Finish(Position position, TokenMask* mask) const {
  if (matcher_.CanEnd(position)) {
    for (const int32_t id : trie_->EndIds()) mask->Allow(id);
  }
  for (size_t w = 0; w < banned_.size(); ++w) mask->bits[w] &= ~banned_[w];
  for (const uint64_t word : mask->bits) mask->count += std::popcount(word);
  if (mask->count > TokenMask::kFew) return;
  for (size_t w = 0; w < mask->bits.size(); ++w) {
    for (uint64_t word = mask->bits[w]; word != 0; word &= word - 1)
      mask->few.push_back(static_cast<int32_t>(w * 64) + std::countr_zero(word));
  }
}

// Also where the tokens lead, in the same pass, when it was asked for.
TokenMask TokenGrammar::Compute(Position position, Ends* ends_or_null) {
  TokenMask mask;
  mask.bits.assign(static_cast<size_t>(vocab_size_ + 63) / 64, 0);
  if (ends_or_null == nullptr) {
    ForTokens(position, [&](int32_t id, Position /*after*/) { mask.Allow(id); });
  } else {
    seen_.assign(seen_.size(), false);
    ForTokens(position, [&](int32_t id, Position after) {
      mask.Allow(id);
      const auto index = static_cast<size_t>(after);
      if (index >= seen_.size()) seen_.resize(2 * index + 1, false);
      if (IsBanned(banned_, id) || seen_[index]) return;
      seen_[index] = true;
      ends_or_null->after.push_back(after);
    });
    for (const Position after : ends_or_null->after)
      ends_or_null->most_bytes = std::max(ends_or_null->most_bytes, Planner().Bytes(after));
  }
  Finish(position, &mask);
  return mask;
}

TokenMask TokenGrammar::Limited(Position position, int64_t most_tokens_after) {
  TokenMask mask;
  mask.bits.assign(static_cast<size_t>(vocab_size_ + 63) / 64, 0);
  ForTokens(position, [&](int32_t id, Position after) {
    if (planner_->Tokens(after) <= most_tokens_after) mask.Allow(id);
  });
  Finish(position, &mask);
  return mask;
}

EndPlanner& TokenGrammar::Planner() {
  if (planner_ == nullptr)
    planner_ = std::make_unique<EndPlanner>(*automaton_, matcher_, *trie_, banned_);
  return *planner_;
}

Result<const TokenMask*> TokenGrammar::MaskAt(Position position, int64_t most_tokens) {
  if (most_tokens == kNoLimit || position < 0) return MaskAt(position);
  if (ends_.find(position) == ends_.end()) {
    Ends found;
    masks_.insert_or_assign(position, Compute(position, &found));
    ends_.emplace(position, std::move(found));
  }
  HW_TRY(const TokenMask* const all, MaskAt(position));
  Ends& ends = ends_.at(position);
  const int64_t left = most_tokens - 1;
  if (ends.most_bytes <= left) return all;  // a token has a byte at least
  if (ends.most_tokens < 0) {
    ends.least_tokens = EndPlanner::kNever;
    for (const Position after : ends.after) {
      const int64_t tokens = Planner().Tokens(after);
      ends.most_tokens = std::max(ends.most_tokens, tokens);
      ends.least_tokens = std::min(ends.least_tokens, tokens);
    }
  }
  const int64_t limit = std::max(left, ends.least_tokens);
  if (ends.most_tokens <= limit || limit == EndPlanner::kNever) return all;
  const uint64_t key = static_cast<uint64_t>(position) << 32U | static_cast<uint64_t>(limit);
  auto found = limited_.find(key);
  if (found == limited_.end()) found = limited_.emplace(key, Limited(position, limit)).first;
  return found->second.count > 0 ? &found->second : all;
}

bool TokenGrammar::CanEndWithin(Position position, int64_t most_tokens) {
  return position == kEnded || Planner().Tokens(position) <= most_tokens;
}

std::optional<int64_t> TokenGrammar::TokensOfShortestText(Position position) {
  const int64_t tokens = position == kEnded ? 0 : Planner().Tokens(position);
  return tokens < EndPlanner::kNever ? std::optional(tokens) : std::nullopt;
}

TokenGrammar::Position TokenGrammar::After(Position position, int32_t token) {
  if (position < 0) return position;
  for (const int32_t id : trie_->EndIds()) {
    if (id == token) return kEnded;
  }
  for (const char c : trie_->BytesOf(token)) {
    if (position == Matcher::kDead) return position;
    position = matcher_.Next(position, static_cast<uint8_t>(c));
  }
  return position;
}

bool TokenGrammar::IsOver(Position position) {
  if (position < 0 || may_say_end_ || !matcher_.CanEnd(position)) return false;
  if (matcher_.IsFinal(position)) return true;
  return !MaskAt(position) && !matcher_.TooAmbiguous();
}

TokenGrammar::Position TokenGrammar::Trim(Position keep) {
  limited_.clear();
  if (masks_.size() >= kMostMasks) {
    masks_.clear();
    ends_.clear();
  }
  if (keep < 0 || matcher_.NumPositions() < kMostPositions) return keep;
  masks_.clear();
  ends_.clear();
  if (planner_ != nullptr) planner_->Forget();
  return matcher_.Forget(keep);
}

}  // namespace headway::grammar
