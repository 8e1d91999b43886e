// Compares with independent implementations on their own vocabularies (tools/tokenizer_reference).

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "tokenizer/reference_fixture.h"
#include "tokenizer/tokenizer.h"

namespace headway::tokenizer {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct ReferenceKind {
  const char* name;
  size_t min_texts;
  Vocabulary (*make)(const Reference& reference);
};

constexpr ReferenceKind kKinds[] = {
    {"o200k_base", 8000, Phi4MiniVocabulary},
    // OpenAI's GPT-4 vocabulary, whose pre-tokenizer is Llama 3's.
    {"cl100k_base", 8000,
     [](const Reference& r) { return VocabularyFromRanks("llama-bpe", r.tokens); }},
    {"gpt2", 8000, [](const Reference& r) { return VocabularyFromRanks("gpt-2", r.tokens); }},
    {"llama2", 900, Llama2Vocabulary},
};

class SlowReferenceTest : public testing::TestWithParam<ReferenceKind> {};

TEST_P(SlowReferenceTest, Encode_AllTexts_SameIds) {
  const auto reference = ReadReference(GetParam().name);
  if (!reference) GTEST_SKIP() << kReferenceMissing;
  ASSERT_GE(reference->cases.size(), GetParam().min_texts);
  Vocabulary vocabulary = GetParam().make(*reference);
  const auto start = std::chrono::steady_clock::now();
  const auto tokenizer = Tokenizer::Create(std::move(vocabulary));
  const double load_seconds = SecondsSince(start);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  size_t differences = 0;
  for (const ReferenceCase& test_case : reference->cases) {
    const auto ids = tokenizer->Encode(test_case.text, {});
    ASSERT_TRUE(ids.has_value()) << ids.error().message;
    EXPECT_EQ(tokenizer->Decode(*ids), test_case.text);
    if (*ids == test_case.ids || ++differences > 10) continue;
    const size_t common = static_cast<size_t>(
        std::mismatch(ids->begin(), ids->end(), test_case.ids.begin(), test_case.ids.end()).first -
        ids->begin());
    ADD_FAILURE() << "text '" << test_case.text.substr(0, 200) << "' differs after '"
                  << tokenizer->Decode(std::span(*ids).first(common)) << "'";
  }
  EXPECT_EQ(differences, 0U);
  std::printf("%s: %zu texts compared, %zu differences; vocabulary loaded in %.3f s\n",
              GetParam().name, reference->cases.size(), differences, load_seconds);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SlowReferenceTest, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

// The reference takes pieces that are tokens as they are; we merge. Both agree because merging
// reaches every token.
TEST(SlowO200kTest, Merges_ReachEveryToken) {
  const auto reference = ReadReference("o200k_base");
  if (!reference) GTEST_SKIP() << kReferenceMissing;
  EXPECT_EQ(Phi4MiniVocabulary(*reference).merges.size(), reference->tokens.size() - 256);
}

TEST(SlowO200kTest, EncodeSpans_Phi4Mini_KnownIds) {
  const auto reference = ReadReference("o200k_base");
  if (!reference) GTEST_SKIP() << kReferenceMissing;
  const auto tokenizer = Tokenizer::Create(Phi4MiniVocabulary(*reference));
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const std::string text =
      "<|system|>You are helpful.<|end|><|user|>Hi <|end|>!<|end|><|assistant|>";
  const size_t typed = text.find("Hi <|end|>!");
  const TextSpan spans[] = {
      {0, typed, true}, {typed, typed + 11, false}, {typed + 11, text.size(), true}};
  const auto ids = tokenizer->EncodeSpans(text, spans, false);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  EXPECT_EQ(ids->front(), 200022);
  EXPECT_EQ(ids->back(), 200019);
  EXPECT_EQ(std::count(ids->begin(), ids->end(), 200020), 2) << "the user's own <|end|> stays text";
  EXPECT_EQ(tokenizer->Decode(*ids), "You are helpful.Hi <|end|>!");
}

}  // namespace
}  // namespace headway::tokenizer
