// Masks over a vocabulary against trying every token on its own.

#include "grammar/token_grammar.h"

#include <gtest/gtest.h>

#include <random>

#include "grammar/match_fixture.h"

namespace headway::grammar {
namespace {

// Bytes, words, beginnings of characters, an unused id (0), control tokens (1, 2) that end.
std::vector<std::string> Vocabulary() {
  std::vector<std::string> tokens = {"", "", ""};
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* word :
       {"{\"",  "\":",   "\", \"", "name", "ag", "age",      "\"}",      " ",  "  ", "tr",
        "true", "false", "null",   "12",   "3.", "\xe2\x82", "\xac\xac", "\n", "}]", "true"}) {
    tokens.emplace_back(word);
  }
  return tokens;
}

class TokenGrammarTest : public testing::Test {
 protected:
  TokenGrammarTest() {
    for (const std::string& token : tokens_) views_.emplace_back(token);
    trie_ = std::make_shared<TokenTrie>(views_, std::vector<int32_t>{1, 2});
  }
  std::vector<std::string> tokens_ = Vocabulary();
  std::vector<std::string_view> views_;
  std::shared_ptr<const TokenTrie> trie_;
};

TEST_F(TokenGrammarTest, Masks_AreWhatEachTokenSays) {
  const int64_t vocab = static_cast<int64_t>(tokens_.size()) + 40;  // a padded head
  for (const char* schema :
       {"{}", R"({"properties": {"name": {"type": "string"}, "age": {"type": "integer"}}})",
        R"({"items": {"enum": ["true", true, "\u20ac"]}})"}) {
    const auto automaton = BuildOrNull(ParseJsonSchema(schema));
    std::mt19937 random(3);
    for (int walk = 0; walk < 30; ++walk) {
      TokenGrammar grammar(automaton, trie_, {}, vocab);
      Matcher matcher(automaton);
      auto position = grammar.Start();
      auto at = matcher.Start();
      for (int step = 0; step < 40; ++step) {
        const auto mask = grammar.MaskAt(position);
        ASSERT_TRUE(mask);
        std::vector<int32_t> allowed;
        for (int32_t id = 0; id < vocab; ++id) {
          bool expected = false;
          if (id == 1 || id == 2) {
            expected = matcher.CanEnd(at);
          } else if (id < static_cast<int32_t>(tokens_.size()) && id != 0) {
            auto next = at;
            for (const char c : tokens_[static_cast<size_t>(id)]) {
              if (next != Matcher::kDead) next = matcher.Next(next, static_cast<uint8_t>(c));
            }
            expected = next != Matcher::kDead;
          }
          ASSERT_EQ((*mask)->Allows(id), expected) << schema << ", id " << id;
          if (expected) allowed.push_back(id);
        }
        ASSERT_EQ((*mask)->count, static_cast<int64_t>(allowed.size()));
        ASSERT_EQ((*mask)->few, allowed);
        const int32_t chosen = allowed[random() % allowed.size()];
        position = grammar.After(position, chosen);
        if (chosen <= 2) {
          EXPECT_EQ(position, TokenGrammar::kEnded);
          EXPECT_FALSE(grammar.MaskAt(position));
          break;
        }
        for (const char c : tokens_[static_cast<size_t>(chosen)])
          at = matcher.Next(at, static_cast<uint8_t>(c));
      }
    }
  }
}

TEST_F(TokenGrammarTest, BannedTokens_AreNever) {
  const auto automaton = BuildOrNull(ParseGbnf("root ::= \"a\" | \"b\""));
  std::vector<uint64_t> banned((tokens_.size() + 63) / 64, 0);
  const int32_t a = 3 + 'a';
  banned[a / 64] |= uint64_t{1} << (a % 64);
  TokenGrammar grammar(automaton, trie_, banned, static_cast<int64_t>(tokens_.size()));
  EXPECT_EQ((*grammar.MaskAt(grammar.Start()))->few, (std::vector<int32_t>{3 + 'b'}));
}

TEST_F(TokenGrammarTest, NoTokenThatFits_IsAnError) {
  const std::vector<std::string_view> few = {"a", "b"};
  const auto trie = std::make_shared<TokenTrie>(few, std::vector<int32_t>{});
  TokenGrammar grammar(BuildOrNull(ParseGbnf("root ::= \"ac\" | \"b\"")), trie, {}, 2);
  const auto start = grammar.Start();
  const auto after_a = grammar.After(start, 0);
  EXPECT_FALSE(grammar.IsOver(after_a));
  EXPECT_EQ(grammar.MaskAt(after_a).error().message,
            "grammar: expected a token that may come next, found none in the vocabulary");
  EXPECT_TRUE(grammar.IsOver(grammar.After(start, 1)));
  EXPECT_EQ((*grammar.MaskAt(start))->count, 2);
}

}  // namespace
}  // namespace headway::grammar
