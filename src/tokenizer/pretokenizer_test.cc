#include "tokenizer/pretokenizer.h"

#include <gtest/gtest.h>

#include <string>

#include "tokenizer/pretokenizer_rules.h"

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

TEST(PretokenizerTest, Qwen2_DigitsStandAlone) {
  EXPECT_EQ(Split("qwen2", "IT'S we'Ll 12345"),
            (Pieces{"IT", "'S", " we", "'Ll", " ", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(Split("qwen2", "(x)\r\n\r\n y"), (Pieces{"(x", ")\r\n\r\n", " y"}));
  EXPECT_EQ(Split("qwen2", "१२ ½Ⅳ"), (Pieces{"१", "२", " ", "½", "Ⅳ"}));
  EXPECT_EQ(Split("deepseek-r1-qwen", "a12"), Split("qwen2", "a12"));
  // A combining mark is no letter: it ends a word and joins what is neither letter nor digit.
  EXPECT_EQ(Split("qwen2", "नमस्ते"), (Pieces{"नमस", "्त", "े"}));
  EXPECT_EQ(Split("qwen35", "नमस्ते e\u0301a"), (Pieces{"नमस्ते", " e\u0301a"}));
}

TEST(PretokenizerTest, SmolLm_DigitsStandAloneThenGpt2) {
  for (const char* name : {"smollm", "refact", "starcoder", "command-r", "exaone"}) {
    EXPECT_EQ(Split(name, "it's IT'S x12 34"),
              (Pieces{"it", "'s", " IT", "'", "S", " x", "1", "2", " ", "3", "4"}));
    EXPECT_EQ(Split(name, "a  b\n\nc"), (Pieces{"a", " ", " b", "\n", "\n", "c"}));
    EXPECT_EQ(Split(name, "٣٤٥"), (Pieces{"٣", "٤", "٥"}));
  }
}

TEST(PretokenizerTest, Default_PunctuationApartAndDigitsByThree) {
  EXPECT_EQ(Split("default", "a=b!? 12345"), (Pieces{"a", "=", "b", "!?", " ", "123", "45"}));
  EXPECT_EQ(Split("default", "it's"), (Pieces{"it", "'", "s"}));
}

TEST(PretokenizerTest, Tekken_AsGpt4oWithoutContractionsAndDigitsAlone) {
  EXPECT_EQ(Split("tekken", "camelCaseHTTPServer it's"),
            (Pieces{"camel", "Case", "HTTPServer", " it", "'s"}));
  EXPECT_EQ(Split("tekken", "12 a/b//\n/"), (Pieces{"1", "2", " a", "/b", "//\n/"}));
  EXPECT_EQ(Split("tekken", "e\u0301a"), (Pieces{"e\u0301a"}));
}

TEST(PretokenizerTest, MiniCpm5AndSeedCoder_DifferFromLlama3InDigitsAndLineBreaks) {
  EXPECT_EQ(Split("minicpm5", "a 12345)\n"), (Pieces{"a", " ", "123", "45", ")\n"}));
  EXPECT_EQ(Split("seed-coder", "a 12)\nb"), (Pieces{"a", " ", "1", "2", ")", "\n", "b"}));
}

TEST(PretokenizerTest, DeepSeekLlm_LineBreaksFirstThenLettersWithCase) {
  EXPECT_EQ(Split("deepseek-llm", "Hi there, you\r\n"),
            (Pieces{"Hi", " there", ",", " you", "\r", "\n"}));
  EXPECT_EQ(Split("deepseek-llm", "it's 123"), (Pieces{"it", "'", "s", " ", "1", "2", "3"}));
  // Only white space at the end is apart; runs between words keep together with what has no rule.
  EXPECT_EQ(Split("deepseek-llm", "a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(Split("deepseek-llm", "a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(Split("deepseek-llm", "中文 。"), (Pieces{"中文", " ", "。"}));
}

TEST(PretokenizerTest, DeepSeekCoder_AnyLettersAndPunctuation) {
  EXPECT_EQ(Split("deepseek-coder", "x = y(1)\n中 +é"),
            (Pieces{"x", " =", " y", "(", "1", ")", "\n", "中", " +", "é"}));
}

TEST(PretokenizerTest, DeepSeek3_DigitsAndCjkFirst) {
  EXPECT_EQ(Split("deepseek-v3", "12345 中文かな abc"),
            (Pieces{"123", "45", " ", "中文かな", " abc"}));
  EXPECT_EQ(Split("deepseek-v3", "a\U0001FA77b"), (Pieces{"a", "\U0001FA77", "b"}));  // Unicode 15
  EXPECT_EQ(Split("deepseek-v3", "_name (x)\n\n y"), (Pieces{"_name", " (", "x", ")\n\n", " y"}));
  EXPECT_EQ(Split("deepseek-v3",
                  "e\u0301a\x01\x02"
                  "b"),
            (Pieces{"e\u0301a", "\x01",
                    "\x02"
                    "b"}));
}

TEST(PretokenizerTest, Bloom_WordsUntilPunctuation) {
  EXPECT_EQ(Split("bloom", "Hi there, (you) 12"),
            (Pieces{"Hi", " there", ", (", "you", ")", " 12"}));
  EXPECT_EQ(Split("viking", "a12"), (Pieces{"a", "1", "2"}));
}

TEST(PretokenizerTest, Rules_NamesAreKnownAndOnce) {
  const std::string names = " " + PretokenizerNames() + " ";
  size_t count = 0;
  for (size_t begin = 1; begin < names.size(); ++count) {
    const size_t end = names.find(' ', begin);
    const std::string name = names.substr(begin, end - begin);
    ASSERT_NE(FindPretokenizerRules(name), nullptr) << name;
    EXPECT_EQ(names.find(" " + name + " ", end), std::string::npos)
        << name << " stands there twice";
    EXPECT_TRUE(Pretokenizer::Create(name).has_value()) << name;
    begin = end + 1;
  }
  EXPECT_GE(count, 50U);
  EXPECT_TRUE(FindPretokenizerRules("tekken")->whole_pieces_first);
  EXPECT_TRUE(FindPretokenizerRules("llama-bpe")->adds_bos);
  EXPECT_FALSE(FindPretokenizerRules("smaug-bpe")->whole_pieces_first);
  EXPECT_EQ(FindPretokenizerRules(""), nullptr);
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
  constexpr size_t kCount = size_t{1} << 18;
  for (const char* name :
       {"gpt-4o", "gpt-2", "llama-bpe", "qwen2", "qwen35", "smollm", "default", "tekken",
        "minicpm5", "seed-coder", "deepseek-llm", "deepseek-coder", "deepseek-v3", "viking"}) {
    for (const char* unit :
         {"a", "A", " ", "\n", "=", "你", "\u0301", "ʰA", "'", " \n", "Aa", "1", "\x01", " \x01"}) {
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
            "tokenizer: pre-tokenizer: expected one of " + PretokenizerNames() + "; found 'gpt-5'");
}

}  // namespace
}  // namespace headway::tokenizer
