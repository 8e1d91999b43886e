#include "engine/text_trie.h"

#include <string_view>
#include <utility>
#include <vector>

namespace headway {

std::shared_ptr<const grammar::TokenTrie> NewTextTrie(const tokenizer::Tokenizer& tokenizer) {
  std::vector<std::string_view> tokens;
  std::vector<int32_t> ends;
  for (int32_t id = 0; id < tokenizer.VocabSize(); ++id) {
    const bool is_text = !tokenizer.vocabulary().IsSpecial(id) && !tokenizer.IsEndOfGeneration(id);
    tokens.push_back(is_text ? tokenizer.TokenBytes(id) : std::string_view());
    if (tokenizer.IsEndOfGeneration(id)) ends.push_back(id);
  }
  return std::make_shared<const grammar::TokenTrie>(tokens, std::move(ends));
}

}  // namespace headway
