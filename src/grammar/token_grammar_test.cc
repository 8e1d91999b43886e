// Masks over a vocabulary against trying every token on its own.

#include "grammar/token_grammar.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

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

TEST_F(TokenGrammarTest, BannedEnd_EndsWhatIsComplete) {
  std::vector<uint64_t> banned((tokens_.size() + 63) / 64, 0);
  banned[0] = 6;  // both end tokens
  TokenGrammar grammar(BuildOrNull(ParseGbnf("root ::= \"a\" \"b\"?")), trie_, banned,
                       static_cast<int64_t>(tokens_.size()));
  const auto start = grammar.Start();
  const auto after_a = grammar.After(start, 3 + 'a');
  EXPECT_FALSE(grammar.IsOver(start));
  EXPECT_FALSE(grammar.IsOver(after_a));
  EXPECT_TRUE(grammar.IsOver(grammar.After(after_a, 3 + 'b')));
  const int32_t b = 3 + 'b';
  banned[b / 64] |=
      uint64_t{1} << (b % 64);  // the text is complete, and what could follow is banned
  TokenGrammar short_one(BuildOrNull(ParseGbnf("root ::= \"a\" \"b\"?")), trie_, banned,
                         static_cast<int64_t>(tokens_.size()));
  EXPECT_TRUE(short_one.IsOver(short_one.After(short_one.Start(), 3 + 'a')));
  banned[0] = 2;  // one of two is enough
  TokenGrammar may_end(BuildOrNull(ParseGbnf("root ::= \"a\"")), trie_, banned,
                       static_cast<int64_t>(tokens_.size()));
  EXPECT_FALSE(may_end.IsOver(may_end.After(may_end.Start(), 3 + 'a')));
}

// Bytes to the end by trying everything, a byte more each time.
int64_t BytesBySearch(Matcher* matcher, Matcher::Position from) {
  std::vector<Matcher::Position> at = {from};
  for (int64_t bytes = 0; bytes < 60; ++bytes) {
    std::set<Matcher::Position> next;
    for (const auto position : at) {
      if (matcher->CanEnd(position)) return bytes;
      for (int byte = 0; byte < 256; ++byte) {
        const auto after = matcher->Next(position, static_cast<uint8_t>(byte));
        if (after != Matcher::kDead) next.insert(after);
      }
    }
    at.assign(next.begin(), next.end());
  }
  return -1;
}

const std::vector<const char*>& Ends() {
  static const std::vector<const char*> grammars = {
      "root ::= \"a\" x \"b\"\nx ::= \"(\" x \")\" | \"cd\" | y y\ny ::= \"e\" y | [0-9]{2,5}",
      "root ::= (\"long\" | \"s\" t)\nt ::= t2 | \"xyzxyz\"\nt2 ::= \"1\" (t | \"!\")",
      "root ::= [^a]{3} \"\xe2\x82\xac\"",
  };
  return grammars;
}

TEST_F(TokenGrammarTest, ShortestEnds_AreWhatSearchFinds) {
  for (const char* text : Ends()) {
    const auto automaton = BuildOrNull(ParseGbnf(text));
    ASSERT_NE(automaton, nullptr);
    std::mt19937 random(5);
    for (int walk = 0; walk < 8; ++walk) {
      Matcher matcher(automaton);
      const std::vector<uint64_t> banned;
      EndPlanner planner(*automaton, matcher, *trie_, banned);
      auto at = matcher.Start();
      for (int step = 0; step < 12; ++step) {
        const int64_t expected = BytesBySearch(&matcher, at);
        ASSERT_EQ(planner.Bytes(at), expected) << text << " after " << step;
        auto end = at;
        for (const char c : planner.ShortestText(at))
          end = matcher.Next(end, static_cast<uint8_t>(c));
        EXPECT_TRUE(matcher.CanEnd(end));
        EXPECT_LE(planner.Tokens(at), expected);
        std::vector<Matcher::Position> next;
        for (int byte = 0; byte < 256; ++byte) {
          const auto after = matcher.Next(at, static_cast<uint8_t>(byte));
          if (after != Matcher::kDead) next.push_back(after);
        }
        if (next.empty()) break;
        at = next[random() % next.size()];
      }
    }
  }
}

TEST_F(TokenGrammarTest, Budgets_AlwaysEnd) {
  const auto vocab = static_cast<int64_t>(tokens_.size());
  std::vector<std::shared_ptr<const Automaton>> automata;
  for (const char* text : Ends()) automata.push_back(BuildOrNull(ParseGbnf(text)));
  for (
      const char* schema :
      {R"({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"]})",
       R"({"type": "array", "items": {"enum": ["true", true, "\u20ac"]}, "minItems": 2})",
       R"({"type": "array", "items": {"type": "array", "items": {"type": "string", "minLength": 3}}})"}) {
    automata.push_back(BuildOrNull(ParseJsonSchema(schema)));
  }
  std::vector<uint64_t> banned((tokens_.size() + 63) / 64, 0);
  const int32_t quote = 3 + 'n';
  banned[quote / 64] |= uint64_t{1} << (quote % 64);
  std::mt19937 random(3);
  for (const auto& automaton : automata) {
    ASSERT_NE(automaton, nullptr);
    for (const std::vector<uint64_t>& ban : {std::vector<uint64_t>(), banned}) {
      TokenGrammar grammar(automaton, trie_, ban, vocab);
      int64_t least = 1;
      while (least < 60 && !grammar.CanEndWithin(grammar.Start(), least)) ++least;
      ASSERT_LT(least, 60);
      EXPECT_EQ(grammar.TokensOfShortestText(grammar.Start()), least);
      int num_complete = 0;
      for (int walk = 0; walk < 60; ++walk) {
        auto at = grammar.Start();
        int64_t left = least + walk / 3;
        for (; left > 0 && at != TokenGrammar::kEnded; --left) {
          if (grammar.IsFinal(at)) break;
          const auto mask = grammar.MaskAt(at, left);
          if (!mask && !ban.empty())
            break;  // into a word that cannot be spelled, as without a budget
          ASSERT_TRUE(mask);
          std::vector<int32_t> allowed;
          for (int32_t id = 0; id < vocab; ++id) {
            if ((*mask)->Allows(id) && id > 2) allowed.push_back(id);  // as long as can be
          }
          if (allowed.empty()) break;
          at = grammar.After(at, allowed[random() % allowed.size()]);
        }
        num_complete += grammar.IsComplete(at) ? 1 : 0;
        ASSERT_TRUE(grammar.IsComplete(at) || !ban.empty()) << "budget " << least + walk / 3;
      }
      EXPECT_GT(num_complete, 30);
      const auto start = grammar.Start();
      EXPECT_EQ(**grammar.MaskAt(start, TokenGrammar::kNoLimit), **grammar.MaskAt(start));
      EXPECT_EQ(**grammar.MaskAt(start, 1000), **grammar.MaskAt(start));
    }
  }
}

TEST_F(TokenGrammarTest, ATextThatCannotBeSpelled_TakesNoKnownNumberOfTokens) {
  const auto automaton = BuildOrNull(ParseGbnf("root ::= \"ab\""));
  const auto vocab = static_cast<int64_t>(tokens_.size());
  const std::vector<uint64_t> all((tokens_.size() + 63) / 64, ~uint64_t{0});
  TokenGrammar grammar(automaton, trie_, all, vocab);
  EXPECT_EQ(grammar.TokensOfShortestText(grammar.Start()), std::nullopt);
}

}  // namespace
}  // namespace headway::grammar
