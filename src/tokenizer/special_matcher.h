#pragma once

// Finds special and user-defined tokens in text: leftmost first, and the longest that starts there.
// One walk down a trie per position that begins like such a token, however many there are.

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace headway::tokenizer {

class SpecialMatcher {
 public:
  struct Match {
    size_t begin = 0;
    size_t length = 0;  // 0: nothing found
    int32_t id = -1;
  };

  // `special` tokens are found only where special tokens are asked for, the others always.
  void Add(std::string_view text, int32_t id, bool special);

  // The first match in text[from, text.size()).
  Match Find(std::string_view text, size_t from, bool with_special) const;

 private:
  struct Node {
    int32_t id = -1;
    bool special = false;
  };
  Match LongestAt(std::string_view text, size_t begin, bool with_special) const;

  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::unordered_map<uint64_t, uint32_t> children_;  // node << 8 | byte -> node
  std::array<bool, 256> starts_any_{};               // by first byte
  std::array<bool, 256> starts_plain_{};             // by first byte, special tokens left out
};

}  // namespace headway::tokenizer
