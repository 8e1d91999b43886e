#pragma once

// A tokenizer's vocabulary as grammars see it.

#include <memory>

#include "grammar/token_trie.h"
#include "tokenizer/tokenizer.h"

namespace headway {

// The bytes of every token that is text, and the tokens that end one. May be shared by any number of
// conversations.
std::shared_ptr<const grammar::TokenTrie> NewTextTrie(const tokenizer::Tokenizer& tokenizer);

}  // namespace headway
