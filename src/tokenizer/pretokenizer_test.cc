#include "tokenizer/pretokenizer.h"

#include <gtest/gtest.h>

#include <string>

namespace headway::tokenizer {
namespace {

using Pieces = std::vector<std::string>;

Pieces Split(const char* name, std::string_view text) {
  const auto pretokenizer = Pretokenizer::Create(name);
  EXPECT_TRUE(pretokenizer.has_value()) << pretokenizer.error().message;
  std::vector<uint32_t> ends;
  const auto result = pretokenizer->Split(text, &ends);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  Pieces pieces;
  size_t begin = 0;
  for (const uint32_t end : ends) {
    pieces.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  EXPECT_EQ(begin, text.size());
  return pieces;
}

// Worked out by hand from the published expressions.
TEST(PretokenizerTest, Gpt4o_WordsSplitWhereCaseRisesAndKeepContractions) {
  EXPECT_EQ(Split("gpt-4o", "Hello world"), (Pieces{"Hello", " world"}));
  EXPECT_EQ(Split("gpt-4o", "camelCaseHTTPServer"), (Pieces{"camel", "Case", "HTTPServer"}));
  EXPECT_EQ(Split("gpt-4o", "it's IT'S we'Ll"), (Pieces{"it's", " IT'S", " we'Ll"}));
  EXPECT_EQ(Split("gpt-4o", "it'ſ"), (Pieces{"it'ſ"}));  // long s: s without regard to case
  EXPECT_EQ(Split("gpt-4o", "12345 6"), (Pieces{"123", "45", " ", "6"}));
  EXPECT_EQ(Split("gpt-4o", "a/b://\n/"), (Pieces{"a", "/b", "://\n/"}));
  EXPECT_EQ(Split("gpt-4o", "e\u0301a नमस्ते"), (Pieces{"e\u0301a", " नमस्ते"}));
  // A combining mark counts as upper and lower case: it continues capitals, and can be a word's
  // lower-case end.
  EXPECT_EQ(Split("gpt-4o", "A\u0301Bc A\u0301B"), (Pieces{"A\u0301Bc", " A\u0301", "B"}));
}

TEST(PretokenizerTest, Gpt4o_WhiteSpace_LastOneGoesToTheWord) {
  EXPECT_EQ(Split("gpt-4o", "a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(Split("gpt-4o", "a \r\n\n  b"), (Pieces{"a", " \r\n\n", " ", " b"}));
  EXPECT_EQ(Split("gpt-4o", "a  "), (Pieces{"a", "  "}));
  EXPECT_EQ(Split("gpt-4o", "\u3000\u3000x"), (Pieces{"\u3000", "\u3000x"}));
  // U+180E is no white space since Unicode 6.3, though PCRE2's \s has it; U+0085 is.
  EXPECT_EQ(Split("gpt-4o", " \u180E "), (Pieces{" \u180E", " "}));
  EXPECT_EQ(Split("gpt-4o", " \u0085 "), (Pieces{" \u0085 "}));
}

TEST(PretokenizerTest, Gpt2_ContractionsAreApartAndLowerCaseOnly) {
  EXPECT_EQ(Split("gpt-2", "it's IT'S"), (Pieces{"it", "'s", " IT", "'", "S"}));
  EXPECT_EQ(Split("gpt-2", "camelCase 12345!?\n\nx"),
            (Pieces{"camelCase", " 12345", "!?", "\n", "\n", "x"}));
}

TEST(PretokenizerTest, Llama3_ContractionsOfAnyCaseAndDigitsByThree) {
  EXPECT_EQ(Split("llama-bpe", "IT'S 12345"), (Pieces{"IT", "'S", " ", "123", "45"}));
  EXPECT_EQ(Split("llama-bpe", "camelCase(x)\n\n"), (Pieces{"camelCase", "(x", ")\n\n"}));
  EXPECT_EQ(Split("llama3", "a//\n/"), (Pieces{"a", "//\n", "/"}));
}

TEST(PretokenizerTest, InvalidBytes_StandAlone) {
  EXPECT_EQ(Split("gpt-4o",
                  "ab\xFF\xFE"
                  "cd \xE2\x82"),
            (Pieces{"ab", "\xFF", "\xFE", "cd", " ", "\xE2", "\x82"}));
  EXPECT_EQ(Split("gpt-4o", ""), Pieces{});
}

// Runs that make a backtracking engine walk: none may hit a limit or take quadratic time.
TEST(PretokenizerTest, LongRuns_AreSplitInLinearTime) {
  constexpr size_t kCount = size_t{1} << 20;
  for (const char* name : {"gpt-4o", "gpt-2", "llama-bpe"}) {
    for (const char* unit : {"a", "A", " ", "\n", "=", "你", "\u0301", "ʰA", "'", " \n", "Aa"}) {
      std::string text;
      while (text.size() < kCount) text += unit;
      Split(name, text);
      Split(name, text + "x");
    }
  }
}

TEST(PretokenizerTest, UnknownName_ListsTheKnownOnes) {
  const auto pretokenizer = Pretokenizer::Create("gpt-5");
  ASSERT_FALSE(pretokenizer.has_value());
  EXPECT_EQ(pretokenizer.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(pretokenizer.error().message,
            "tokenizer: pre-tokenizer: expected one of gpt-4o llama4 gpt-2 phi-2 llama-bpe llama3 "
            "llama-v3; "
            "found 'gpt-5'");
}

}  // namespace
}  // namespace headway::tokenizer
