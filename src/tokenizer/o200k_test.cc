// Compares with an independent implementation (tools/o200k) on its own vocabulary.

#include <gtest/gtest.h>

#include <chrono>

#include "tokenizer/test_o200k.h"
#include "tokenizer/tokenizer.h"

namespace headway::tokenizer {
namespace {

// One run of the preparation for all tests here: it takes seconds.
class SlowO200kTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (reference_) return;
    reference_ = ReadO200kReference();
    if (!reference_) return;
    Vocabulary vocabulary = Phi4MiniVocabulary(*reference_);
    const auto start = std::chrono::steady_clock::now();
    auto tokenizer = Tokenizer::Create(std::move(vocabulary));
    load_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    tokenizer_.emplace(std::move(tokenizer).value());
  }
  void SetUp() override {
    if (!reference_) GTEST_SKIP() << kO200kMissing;
  }

  static inline std::optional<O200kReference> reference_;
  static inline std::optional<Tokenizer> tokenizer_;
  static inline double load_seconds_ = 0;
};

TEST_F(SlowO200kTest, Encode_ReferenceTexts_SameIds) {
  ASSERT_GE(reference_->cases.size(), 2000U);
  size_t differences = 0;
  for (const O200kCase& reference : reference_->cases) {
    const auto ids = tokenizer_->Encode(reference.text, {});
    ASSERT_TRUE(ids.has_value()) << ids.error().message;
    EXPECT_EQ(tokenizer_->Decode(*ids), reference.text);
    if (*ids == reference.ids) continue;
    ++differences;
    const auto [ours, theirs] =
        std::mismatch(ids->begin(), ids->end(), reference.ids.begin(), reference.ids.end());
    ADD_FAILURE() << "text '" << reference.text.substr(0, 200) << "' differs after '"
                  << tokenizer_->Decode(std::span(ids->begin(), ours)) << "'";
    if (differences == 20) break;
  }
  std::printf("%zu texts compared, %zu differences\n", reference_->cases.size(), differences);
}

// Every token's own bytes, as one text: the reference looks whole pieces up, we merge. Both must
// agree.
TEST_F(SlowO200kTest, Merges_EveryToken_IsReached) {
  const size_t num_merged = reference_->ranks.size() - 256;
  EXPECT_EQ(tokenizer_->vocabulary().merges.size(), num_merged);
}

TEST_F(SlowO200kTest, Create_TwoHundredThousandTokens_IsFast) {
  std::printf("loading the vocabulary took %.3f s\n", load_seconds_);
  EXPECT_LT(load_seconds_, 10.0) << "expected below 0.5 s on an idle machine";
}

TEST_F(SlowO200kTest, EncodeChat_Phi4Mini_KnownIds) {
  const std::vector<ChatMessage> messages = {{"system", "You are helpful."},
                                             {"user", "Hi <|end|>!"}};
  const auto ids = tokenizer_->EncodeChat(messages, true);
  ASSERT_TRUE(ids.has_value()) << ids.error().message;
  EXPECT_EQ(ids->front(), 200022);
  EXPECT_EQ(ids->back(), 200019);
  EXPECT_EQ(std::count(ids->begin(), ids->end(), 200020), 2) << "the user's own <|end|> stays text";
  EXPECT_EQ(tokenizer_->Decode(*ids), "You are helpful.Hi <|end|>!");
}

}  // namespace
}  // namespace headway::tokenizer
