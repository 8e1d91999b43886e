#include "tokenizer/special_matcher.h"

namespace headway::tokenizer {
namespace {

uint64_t EdgeKey(uint32_t node, char c) { return uint64_t{node} << 8 | static_cast<uint8_t>(c); }

}  // namespace

void SpecialMatcher::Add(std::string_view text, int32_t id, bool special) {
  uint32_t node = 0;
  for (const char c : text) {
    const auto [edge, added] =
        children_.try_emplace(EdgeKey(node, c), static_cast<uint32_t>(nodes_.size()));
    if (added) nodes_.emplace_back();
    node = edge->second;
  }
  nodes_[node] = {id, special};
  const auto first = static_cast<uint8_t>(text[0]);
  starts_any_[first] = true;
  if (!special) starts_plain_[first] = true;
}

SpecialMatcher::Match SpecialMatcher::LongestAt(std::string_view text, size_t begin,
                                                bool with_special) const {
  Match best;
  uint32_t node = 0;
  for (size_t i = begin; i < text.size(); ++i) {
    const auto edge = children_.find(EdgeKey(node, text[i]));
    if (edge == children_.end()) break;
    node = edge->second;
    const Node& here = nodes_[node];
    if (here.id >= 0 && (with_special || !here.special)) best = {begin, i + 1 - begin, here.id};
  }
  return best;
}

SpecialMatcher::Match SpecialMatcher::Find(std::string_view text, size_t from,
                                           bool with_special) const {
  const std::array<bool, 256>& starts = with_special ? starts_any_ : starts_plain_;
  for (size_t i = from; i < text.size(); ++i) {
    if (!starts[static_cast<uint8_t>(text[i])]) continue;
    const Match match = LongestAt(text, i, with_special);
    if (match.length > 0) return match;
  }
  return {text.size(), 0, -1};
}

}  // namespace headway::tokenizer
