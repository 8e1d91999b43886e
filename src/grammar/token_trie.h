#pragma once

// The byte strings of a vocabulary as a prefix tree, laid out in the order of a depth-first walk: a
// grammar's allowed tokens are found in one pass that jumps over what is impossible. Immutable.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace headway::grammar {

class TokenTrie {
 public:
  struct Node {
    int32_t depth;        // bytes from the root; the root itself is not stored
    int32_t after;        // the node after this one's descendants
    int32_t first_token;  // into TokenAt()
    int32_t num_tokens;   // that end exactly here
    uint8_t byte;
  };

  // tokens[id]: the bytes of token id; empty for tokens that are no text and never allowed (control
  // tokens, padding). end_ids: tokens that end a text.
  TokenTrie(std::span<const std::string_view> tokens, std::vector<int32_t> end_ids);

  std::span<const Node> Nodes() const { return nodes_; }
  int32_t TokenAt(int32_t index) const { return tokens_[static_cast<size_t>(index)]; }
  // The bytes of a token; empty for ids outside the vocabulary.
  std::string_view BytesOf(int32_t id) const;
  int64_t LongestToken() const { return longest_; }
  std::span<const int32_t> EndIds() const { return end_ids_; }
  int64_t VocabSize() const { return vocab_size_; }

 private:
  std::vector<Node> nodes_;
  std::vector<int32_t> tokens_;     // ids in the order of their bytes
  std::vector<std::string> bytes_;  // by id
  std::vector<int32_t> end_ids_;
  int64_t longest_ = 0;
  int64_t vocab_size_ = 0;
};

}  // namespace headway::grammar
