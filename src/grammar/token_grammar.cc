#include "grammar/token_grammar.h"

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
    : matcher_(std::move(automaton)),
      trie_(std::move(trie)),
      banned_(std::move(banned)),
      vocab_size_(vocab_size),
      path_(static_cast<size_t>(trie_->LongestToken()) + 1) {}

TokenGrammar::Position TokenGrammar::Start() { return matcher_.Start(); }

Result<const TokenMask*> TokenGrammar::MaskAt(Position position) {
  if (position == kEnded)
    return Fail(ErrorCode::kInvalidInput, "grammar: expected a text that goes on, found its end");
  if (position != Matcher::kDead) {
    auto found = masks_.find(position);
    if (found == masks_.end()) {
      found = masks_.emplace(position, Compute(position)).first;
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

TokenMask TokenGrammar::Compute(Position position) {
  TokenMask mask;
  mask.bits.assign(static_cast<size_t>(vocab_size_ + 63) / 64, 0);
  const auto allow = [&](int32_t id) {
    mask.bits[static_cast<size_t>(id) / 64] |= uint64_t{1} << (static_cast<size_t>(id) % 64);
  };
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
    for (int32_t t = 0; t < node.num_tokens; ++t) allow(trie_->TokenAt(node.first_token + t));
    ++i;
  }
  if (matcher_.CanEnd(position)) {
    for (const int32_t id : trie_->EndIds()) allow(id);
  }
  for (size_t w = 0; w < banned_.size(); ++w) mask.bits[w] &= ~banned_[w];
  for (const uint64_t word : mask.bits) mask.count += std::popcount(word);
  if (mask.count > TokenMask::kFew) return mask;
  for (size_t w = 0; w < mask.bits.size(); ++w) {
    for (uint64_t word = mask.bits[w]; word != 0; word &= word - 1)
      mask.few.push_back(static_cast<int32_t>(w * 64) + std::countr_zero(word));
  }
  return mask;
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

bool TokenGrammar::IsOver(Position position) const {
  return position >= 0 && trie_->EndIds().empty() && matcher_.CanEnd(position) &&
         matcher_.IsFinal(position);
}

TokenGrammar::Position TokenGrammar::Trim(Position keep) {
  if (masks_.size() >= kMostMasks) masks_.clear();
  if (keep < 0 || matcher_.NumPositions() < kMostPositions) return keep;
  masks_.clear();
  return matcher_.Forget(keep);
}

}  // namespace headway::grammar
