// What is read to learn from, for vocabularies of any kind.

#include "pack/record_states.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "pack/auto_head.h"
#include "pack/recorded_texts.h"
#include "tokenizer/vocabulary.h"

namespace headway::pack {
namespace {

constexpr int32_t kBeginId = 2;

// SentencePiece with these pieces, each a character, and neither bytes nor an unknown token.
tokenizer::Tokenizer OfPieces(const std::vector<std::string>& pieces) {
  tokenizer::Vocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<pad>", "<end>", "<begin>"};
  vocabulary.types.assign(3, tokenizer::TokenType::kControl);
  vocabulary.bos_id = kBeginId;
  vocabulary.add_bos = true;
  for (const std::string& piece : pieces) {
    vocabulary.tokens.push_back(piece);
    vocabulary.types.push_back(tokenizer::TokenType::kNormal);
  }
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0F);
  auto made = tokenizer::Tokenizer::Create(std::move(vocabulary));
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return *std::move(made);
}

// Space and small letters.
tokenizer::Tokenizer OfLetters() {
  std::vector<std::string> pieces = {"\u2581"};
  for (char letter = 'a'; letter <= 'z'; ++letter) pieces.emplace_back(1, letter);
  return OfPieces(pieces);
}

size_t NumTokens(const std::vector<std::vector<int32_t>>& texts) {
  size_t count = 0;
  for (const std::vector<int32_t>& ids : texts) count += ids.size();
  return count;
}

TEST(RecordedTexts, AreOfManyKindsAndOfLikeSize) {
  EXPECT_GE(RecordedTexts().size(), 35U);
  for (const std::string_view text : RecordedTexts()) {
    EXPECT_GE(text.size(), 250U) << text;
    EXPECT_LE(text.size(), 1000U) << text;
  }
}

TEST(RecordedIds, WordsThatTheVocabularyCannotSpellAreLeftOut) {
  const tokenizer::Tokenizer tokenizer = OfLetters();
  const std::string text(RecordedTexts().front());
  ASSERT_FALSE(tokenizer.Encode(text, {}).has_value());  // it has capitals and full stops
  const auto texts = RecordedIds(tokenizer, "", 2000, 1000);
  ASSERT_GE(texts.size(), 10U);
  EXPECT_GE(NumTokens(texts), 1000U);
  EXPECT_LE(NumTokens(texts), 2000U);
  for (const std::vector<int32_t>& ids : texts) EXPECT_EQ(ids.front(), kBeginId);
  const std::string read = tokenizer.Decode(texts.front());
  EXPECT_NE(read.find("upon a time there was a girl named who lived"), std::string::npos) << read;
}

TEST(RecordedIds, AVocabularyThatCanSpellNothing_GivesIdsFromAllOverIt) {
  std::vector<std::string> pieces;
  for (int i = 0; i < 200; ++i) pieces.push_back("\u00A7" + std::to_string(i));
  const tokenizer::Tokenizer tokenizer = OfPieces(pieces);
  const auto texts = RecordedIds(tokenizer, "a text of the user's", 512, 100);
  ASSERT_FALSE(texts.empty());
  const std::vector<int32_t>& ids = texts.front();
  EXPECT_EQ(ids.size(), 100U);
  const std::set<int32_t> different(ids.begin(), ids.end());
  EXPECT_GE(different.size(), 90U);
  EXPECT_LT(*different.rbegin(), tokenizer.VocabSize());
}

TEST(RecordedIds, NoTextIsLongerThanItsShareOrThanTheContext) {
  const tokenizer::Tokenizer tokenizer = OfLetters();
  for (const std::vector<int32_t>& ids : RecordedIds(tokenizer, "", 2000, 7))
    EXPECT_LE(ids.size(), 7U);
  const auto even = RecordedIds(tokenizer, "", 400, 1000);
  for (const std::vector<int32_t>& ids : even) EXPECT_LE(ids.size(), 400 / even.size());
}

TEST(RecordedIds, AUsersTextIsReadBesideThem) {
  const tokenizer::Tokenizer tokenizer = OfLetters();
  std::string usage;
  for (int i = 0; i < 1000; ++i) usage += "quick zebra ";
  const auto without = RecordedIds(tokenizer, "", 600, 1000);
  const auto with = RecordedIds(tokenizer, usage, 600, 1000);
  ASSERT_GT(with.size(), without.size());
  EXPECT_EQ(NumTokens(with) - NumTokens(without), 300U);
  EXPECT_NE(tokenizer.Decode(with[without.size()]).find("quick zebra"), std::string::npos);
}

ConstTensorView RowsOf(int64_t num_rows, int64_t channels) {
  ConstTensorView rows;
  rows.type = DataType::kQ8_0;
  rows.shape = Shape{num_rows, channels};
  rows.row_stride_bytes = channels / 32 * 34;
  return rows;
}

// Heads on which the certified head was slower, and those it is made for.
TEST(AutoHead, ShapesThatCannotPay) {
  EXPECT_FALSE(ShapeCanPay(RowsOf(4096, 64)));
  EXPECT_FALSE(ShapeCanPay(RowsOf(4096, 128)));
  EXPECT_FALSE(ShapeCanPay(RowsOf(100003, 96)));
  EXPECT_FALSE(ShapeCanPay(RowsOf(262144, 128)));
  EXPECT_FALSE(ShapeCanPay(RowsOf(8192, 256)));
  EXPECT_FALSE(ShapeCanPay(RowsOf(4096, 8192)));
  EXPECT_TRUE(ShapeCanPay(RowsOf(262144, 640)));
  EXPECT_TRUE(ShapeCanPay(RowsOf(49152, 576)));
  EXPECT_TRUE(ShapeCanPay(RowsOf(200064, 3072)));
}

}  // namespace
}  // namespace headway::pack
