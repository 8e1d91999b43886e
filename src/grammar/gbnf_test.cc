// What GBNF means, as users know it from llama.cpp's guide, and what is wrong with a grammar.

#include <gtest/gtest.h>

#include <vector>

#include "grammar/code_points.h"
#include "grammar/match_fixture.h"

namespace headway::grammar {
namespace {

struct Case {
  const char* grammar;
  std::vector<std::string> matches;
  std::vector<std::string> others;
};

TEST(GbnfTest, Texts_MatchAsWritten) {
  const std::vector<Case> cases = {
      {"root ::= \"abc\"", {"abc"}, {"", "ab", "abcd", "abd"}},
      {"root ::= ", {""}, {"a"}},
      {"root ::= \"\"", {""}, {"a"}},
      {"root ::= \"a\" | \"b\" \"c\"", {"a", "bc"}, {"b", "ac", ""}},
      {"root ::= \"a\" |\n  \"b\"", {"a", "b"}, {"ab"}},
      {"root ::= | \"a\"", {"", "a"}, {"aa"}},
      {"root ::= \"ab\"*", {"", "ab", "abab"}, {"a", "aba"}},
      {"root ::= \"ab\"+", {"ab", "abab"}, {"", "a"}},
      {"root ::= \"a\"? \"b\"", {"b", "ab"}, {"a", "aab"}},
      {"root ::= \"a\"{3}", {"aaa"}, {"aa", "aaaa", ""}},
      {"root ::= \"a\"{2,}", {"aa", "aaaaa"}, {"a", ""}},
      {"root ::= \"a\"{1,3}", {"a", "aa", "aaa"}, {"", "aaaa"}},
      {"root ::= \"a\"{0,2}", {"", "a", "aa"}, {"aaa"}},
      {"root ::= \"a\"{0}", {""}, {"a"}},
      {"root ::= \"a\"{ 1 , 2 }", {"a", "aa"}, {"aaa"}},
      {"root ::= (\"a\" | \"b\")+ \"c\"", {"ac", "abbac"}, {"c", "ab"}},
      {"root ::= (\n  \"a\" # one\n  \"b\"\n)\n", {"ab"}, {"a"}},
      {"root ::= ((\"a\"))", {"a"}, {}},
      {"root ::= (\"a\"?)* \"b\"", {"b", "aab"}, {"a"}},
      {"root ::= \"a\"*+?{0,3}", {"", "aaaaaa"}, {"b"}},
      {"root ::= [a-c0]+", {"abc0"}, {"", "d", "1"}},
      {"root ::= [^a-c\\n]", {"d", "\xc3\xa9", "\xf0\x9f\x98\x80"}, {"a", "\n", "", "dd"}},
      {"root ::= [-a]", {"-", "a"}, {"b"}},
      {"root ::= [a-]", {"-", "a"}, {"b"}},
      {"root ::= [\\]\\[\\\\\\\"\\t]", {"]", "[", "\\", "\"", "\t"}, {"t"}},
      {"root ::= .", {"a", "\n", "\xe2\x82\xac"}, {"", "ab", "\xff", "\xed\xa0\x80", "\xc0\x80"}},
      {"root ::= \"\\x41\\u20AC\\U0001F600\"", {"A\xe2\x82\xac\xf0\x9f\x98\x80"}, {"A"}},
      {"root ::= [\xd0\xb0-\xd1\x8f]+", {"\xd0\xb4\xd0\xb0"}, {"da", "\xd0"}},
      {"# c\n\nroot ::= x-1 Y # c\nx-1 ::= \"x\"\nY::=\"y\"\n", {"xy"}, {"x"}},
      {"root ::= \"(\" root \")\" | \"x\"", {"x", "((x))"}, {"((x)", "()"}},
      {"root ::= item | item \",\" root\nitem ::= [0-9]+", {"1", "12,3"}, {"1,", ",1"}},
      {"root ::= a a\na ::= \"x\" | \"xx\"", {"xx", "xxx", "xxxx"}, {"x", "xxxxx"}},
      {"root\t::= \"a\"\r\nb ::= \"c\"\r\n", {"a"}, {"c"}},
  };
  for (const Case& each : cases) {
    const auto automaton = BuildOrNull(ParseGbnf(each.grammar));
    for (const std::string& text : each.matches)
      EXPECT_TRUE(Matches(automaton, text)) << each.grammar << " on " << text;
    for (const std::string& text : each.others)
      EXPECT_FALSE(Matches(automaton, text)) << each.grammar << " on " << text;
  }
}

TEST(GbnfTest, Mistakes_AreNamedWithTheirPlace) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", "expected a rule 'root', found none"},
      {"x ::= \"a\"", "expected a rule 'root', found none"},
      {"root ::= a", "rule 'root': expected a definition of the rule 'a', found none"},
      {"root = \"a\"", "line 1, column 6: expected ::=, found '= \"a\"'"},
      {"root ::= \"a", "line 1, column 12: expected '\"' at the literal's end, found the end"},
      {"root ::= [a", "expected ']' at the class's end, found the end"},
      {"root ::= [z-a]", "column 14: expected a range that does not run backwards"},
      {"root ::= []", "expected a character in the class"},
      {"root ::= (\"a\"", "expected ')', found the end"},
      {"root ::= \"a\")", "column 13: expected the end of the rule's line"},
      {"root ::= *", "expected something to repeat before it, found '*'"},
      {"root ::= \"a\" | +", "expected something to repeat"},
      {"root ::= \"a\"{x}", "expected a number, found 'x}'"},
      {"root ::= \"a\"{2,1}", "expected a number from 2"},
      {"root ::= \"a\"{1", "expected '}', found the end"},
      {"root ::= \"a\"{999999999999}", "at most 100000 repetitions, found '999999999999}'"},
      {"root ::= \"\\q\"", "expected one of the escapes"},
      {"root ::= \"\\x4\"", "expected 2 hexadecimal digits"},
      {"root ::= \"\\U00110000\"", "code point up to 10FFFF"},
      {"root ::= \"\\uD800\"", "no surrogate"},
      {"root ::= \"a\"\nroot ::= \"b\"",
       "line 2, column 1: expected one definition of the rule 'root'"},
      {"root ::= <think>", "references to tokens are not supported"},
      {"root ::= \"\xff\"", "expected UTF-8"},
      {"root ::= root \"a\" | \"a\"",
       "rule 'root': expected a rule that does not begin with itself"},
      {"root ::= a\na ::= b? a \"x\"\nb ::= \"b\"",
       "rule 'a': expected a rule that does not begin"},
      {"root ::= a\na ::= b\nb ::= a", "left recursion"},
      {"root ::= ((\"a\"{9999}){9999}){99}", "rule 'root': expected a grammar of at most"},
  };
  for (const auto& [grammar, message] : cases) {
    EXPECT_NE(GbnfError(grammar).find(message), std::string::npos)
        << grammar << "\nexpected: " << message << "\nfound: " << GbnfError(grammar);
  }
  EXPECT_NE(GbnfError("root ::= " + std::string(1000, '(')).find("at most 200 nested groups"),
            std::string::npos);
}

TEST(GbnfTest, NestingAndLists_NeedNoMoreThanTheirDepth) {
  const auto automaton =
      BuildOrNull(ParseGbnf("root ::= \"[\" (root (\",\" root)*)? \"]\" | [0-9]+"));
  const std::string deep = std::string(2000, '[') + "1" + std::string(2000, ']');
  EXPECT_TRUE(Matches(automaton, deep));
  EXPECT_FALSE(Matches(automaton, deep + "]"));
  const auto list = BuildOrNull(ParseGbnf("root ::= item | item \",\" root\nitem ::= [0-9]+"));
  Matcher matcher(list);
  Matcher::Position at = matcher.Start();
  for (int i = 0; i < 10000; ++i) {
    at = matcher.Next(at, '7');
    at = matcher.Next(at, ',');
  }
  EXPECT_LT(matcher.NumPositions(), 10);  // a tail call leaves nothing behind
}

TEST(GbnfTest, ExplodingAmbiguity_IsGivenUp) {
  const auto automaton = BuildOrNull(ParseGbnf(
      "root ::= \"a\" root x | \"a\" root y | \"b\"\nx ::= \"x\" | \"z\"\ny ::= \"y\" | \"z\""));
  Matcher matcher(automaton);
  Matcher::Position at = matcher.Start();
  for (int i = 0; i < 40 && at != Matcher::kDead; ++i) at = matcher.Next(at, 'a');
  EXPECT_EQ(at, Matcher::kDead);
  EXPECT_TRUE(matcher.TooAmbiguous());
}

TEST(MatcherTest, Forget_KeepsThePosition) {
  const auto automaton =
      BuildOrNull(ParseGbnf("root ::= \"(\" root \")\" | \"[\" root \"]\" | \"x\""));
  Matcher matcher(automaton);
  Matcher::Position at = matcher.Start();
  for (const char c : std::string("([[(x")) at = matcher.Next(at, static_cast<uint8_t>(c));
  at = matcher.Forget(at);
  EXPECT_EQ(matcher.NumPositions(), 1);
  for (const char c : std::string(")]])")) {
    ASSERT_NE(at, Matcher::kDead);
    EXPECT_FALSE(matcher.CanEnd(at));
    at = matcher.Next(at, static_cast<uint8_t>(c));
  }
  ASSERT_NE(at, Matcher::kDead);
  EXPECT_TRUE(matcher.CanEnd(at));
  EXPECT_TRUE(matcher.IsFinal(at));
}

// Every code point, and bytes that are none.
TEST(CodePointTest, Ranges_MatchExactlyTheirCodePoints) {
  for (const CodeRange range :
       {CodeRange{0, kLastCodePoint}, CodeRange{0x7F, 0x80}, CodeRange{0x41, 0x20AC},
        CodeRange{0x7FF, 0x10000}, CodeRange{0xD000, 0xE123}, CodeRange{0x1F600, 0x10FFFF}}) {
    const auto sequences = Utf8Sequences(range);
    const auto holds = [&](const std::string& bytes) {
      int found = 0;
      for (const auto& sequence : sequences) {
        bool same = sequence.size() == bytes.size();
        for (size_t i = 0; same && i < bytes.size(); ++i) {
          const auto byte = static_cast<uint8_t>(bytes[i]);
          same = sequence[i].first <= byte && byte <= sequence[i].last;
        }
        found += same ? 1 : 0;
      }
      return found;
    };
    for (uint32_t c = 0; c <= kLastCodePoint; c += c < 0x3000 ? 1 : 7) {
      std::string bytes;
      AppendUtf8(c, &bytes);
      const bool expected = range.first <= c && c <= range.last && IsScalarValue(c);
      ASSERT_EQ(holds(bytes), expected ? 1 : 0) << c;
    }
    EXPECT_EQ(holds("\xC0\x80"), 0);
    EXPECT_EQ(holds("\xF4\x90\x80\x80"), 0);
  }
}

}  // namespace
}  // namespace headway::grammar
