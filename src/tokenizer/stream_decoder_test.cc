#include "tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include <random>

#include "base/utf8.h"
#include "tokenizer/vocabulary_fixture.h"

namespace headway::tokenizer {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

// Ids 0 to 255 are the bytes; 256 is "<|end|>".
Tokenizer Bytes() {
  auto tokenizer = Tokenizer::Create(ByteLevelVocabulary("gpt-4o", {}, {"<|end|>"}));
  EXPECT_TRUE(tokenizer.has_value());
  return std::move(tokenizer).value();
}

TEST(StreamDecoderTest, Push_SplitCharacters_ComeOutWhole) {
  const Tokenizer tokenizer = Bytes();
  StreamDecoder decoder(tokenizer);
  const std::string text = "aé€😀z";
  std::string all;
  for (const char c : text) {
    const std::string piece = decoder.Push(static_cast<uint8_t>(c));
    EXPECT_EQ(Utf8ValidPrefixBytes(piece), piece.size());
    all += piece;
  }
  EXPECT_EQ(all, text);
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(StreamDecoderTest, Push_InvalidBytes_OneReplacementForEachStretch) {
  const Tokenizer tokenizer = Bytes();
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.Push(0xFF), kReplacement);
  EXPECT_EQ(decoder.Push(0xE2), "");
  EXPECT_EQ(decoder.Push(0x82), "");
  EXPECT_EQ(decoder.Push('a'), std::string(kReplacement) + "a");  // E2 82 is one stretch
  EXPECT_EQ(decoder.Push(0xE0), "");
  EXPECT_EQ(decoder.Push(0x80),
            std::string(kReplacement) + kReplacement);  // E0 80 can start nothing
  EXPECT_EQ(decoder.Push(0xF0), "");
  EXPECT_EQ(decoder.Push(256), "") << "special tokens are left out";
  EXPECT_EQ(decoder.Finish(), kReplacement);
  EXPECT_EQ(decoder.Finish(), "");
  EXPECT_EQ(decoder.Push('b'), "b");
}

TEST(StreamDecoderTest, Push_RandomBytes_AlwaysValidUtf8) {
  const Tokenizer tokenizer = Bytes();
  std::mt19937 random(3);
  StreamDecoder decoder(tokenizer);
  for (int i = 0; i < 20000; ++i) {
    const std::string piece = decoder.Push(static_cast<int32_t>(random() % 260) - 2);
    ASSERT_EQ(Utf8ValidPrefixBytes(piece), piece.size());
  }
}

TEST(StreamDecoderTest, SentencePiece_LeadingSpace_OnlyWhenContinuing) {
  const std::string mark(kSpaceMark);
  auto tokenizer = Tokenizer::Create(SentencePieceVocabulary({mark + "a"}));
  ASSERT_TRUE(tokenizer.has_value());
  StreamDecoder continuing(*tokenizer);
  EXPECT_EQ(continuing.Push(259), " a");
  StreamDecoder starting(*tokenizer, true);
  EXPECT_EQ(starting.Push(259), "a");
  EXPECT_EQ(starting.Push(259), " a");
}

}  // namespace
}  // namespace headway::tokenizer
