#include "grammar/token_trie.h"

#include <algorithm>
#include <utility>

namespace headway::grammar {

TokenTrie::TokenTrie(std::span<const std::string_view> tokens, std::vector<int32_t> end_ids)
    : bytes_(tokens.begin(), tokens.end()),
      end_ids_(std::move(end_ids)),
      vocab_size_(static_cast<int64_t>(tokens.size())) {
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) tokens_.push_back(static_cast<int32_t>(id));
  }
  const auto bytes = [&](int32_t id) { return tokens[static_cast<size_t>(id)]; };
  std::sort(tokens_.begin(), tokens_.end(), [&](int32_t a, int32_t b) {
    return bytes(a) != bytes(b) ? bytes(a) < bytes(b) : a < b;
  });
  std::vector<int32_t> path;  // nodes of the current token's bytes
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back())
      nodes_[static_cast<size_t>(path.back())].after = static_cast<int32_t>(nodes_.size());
  };
  std::string_view previous;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view text = bytes(tokens_[i]);
    const auto shared = static_cast<size_t>(
        std::mismatch(previous.begin(), previous.end(), text.begin(), text.end()).first -
        previous.begin());
    close(shared);
    for (size_t depth = shared; depth < text.size(); ++depth) {
      path.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back({.depth = static_cast<int32_t>(depth) + 1,
                        .after = 0,
                        .first_token = static_cast<int32_t>(i),
                        .num_tokens = 0,
                        .byte = static_cast<uint8_t>(text[depth])});
    }
    ++nodes_[static_cast<size_t>(path.back())].num_tokens;
    longest_ = std::max(longest_, static_cast<int64_t>(text.size()));
    previous = text;
  }
  close(0);
}

std::string_view TokenTrie::BytesOf(int32_t id) const {
  if (id < 0 || id >= vocab_size_) return {};
  return bytes_[static_cast<size_t>(id)];
}

}  // namespace headway::grammar
