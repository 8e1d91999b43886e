#include "tokenizer/tokenizer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "tokenizer/vocabulary_fixture.h"

namespace headway::tokenizer {
namespace {

using Ids = std::vector<int32_t>;

Tokenizer Make(Vocabulary vocabulary) {
  auto tokenizer = Tokenizer::Create(std::move(vocabulary));
  EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  return std::move(tokenizer).value();
}

Ids Encode(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options = {}) {
  const auto ids = tokenizer.Encode(text, options);
  EXPECT_TRUE(ids.has_value()) << ids.error().message;
  return ids.value_or(Ids{});
}

std::string RandomBytes(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(count, '\0');
  for (char& c : bytes) c = static_cast<char>(random() & 0xFF);
  return bytes;
}

// h e l l o: "he" 256, "ll" 257, "llo" 258, "hello" 259, "Ġ hello" 260.
Vocabulary HelloVocabulary(const std::string& pre = "gpt-4o") {
  return ByteLevelVocabulary(pre, {"h e", "l l", "ll o", "he llo", "Ġ hello"},
                             {"<|end|>", "<|endoftext|>"});
}

TEST(TokenizerTest, Encode_ByteLevel_MergesByRank) {
  const Tokenizer tokenizer = Make(HelloVocabulary());
  EXPECT_EQ(Encode(tokenizer, "hello hello"), (Ids{259, 260}));
  EXPECT_EQ(Encode(tokenizer, "hellll"), (Ids{256, 257, 257}));
  EXPECT_EQ(Encode(tokenizer, ""), Ids{});
  EXPECT_EQ(tokenizer.Decode(Ids{259, 260}), "hello hello");
  EXPECT_EQ(tokenizer.TokenBytes(260), " hello");
  EXPECT_EQ(tokenizer.VocabSize(), 263);
}

// "abc" is a token made from "ab", but "b" is joined with "c" first: whole pieces count in Llama 3
// only.
TEST(TokenizerTest, Encode_PieceThatMergesCannotReach_IsWholeForLlama3Only) {
  Vocabulary vocabulary = ByteLevelVocabulary("llama-bpe", {"b c", "a b", "ab c"});
  const Tokenizer llama3 = Make(vocabulary);
  EXPECT_EQ(Encode(llama3, "abc"), Ids{258});
  vocabulary.pre = "gpt-4o";
  const Tokenizer gpt4o = Make(vocabulary);
  EXPECT_EQ(Encode(gpt4o, "abc"), (Ids{'a', 256}));
  EXPECT_EQ(Encode(gpt4o, "abc"), (Ids{'a', 256})) << "the second time the answer is remembered";
}

TEST(TokenizerTest, Encode_AnyBytes_RoundTrips) {
  const Tokenizer tokenizer = Make(HelloVocabulary());
  for (unsigned seed = 0; seed < 200; ++seed) {
    const std::string bytes = RandomBytes(seed, seed);
    EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, bytes)), bytes);
  }
  // Truncated, overlong, surrogate, above U+10FFFF, a lone continuation byte, NUL.
  for (const std::string bytes :
       {"hello\xE2\x82", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\x80z"}) {
    EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, bytes)), bytes);
  }
  EXPECT_EQ(Encode(tokenizer, std::string_view("\0", 1)), Ids{0});
}

TEST(TokenizerTest, Encode_SpecialTokens_OnlyWhenAskedFor) {
  const Tokenizer tokenizer = Make(HelloVocabulary());
  const int32_t end = *tokenizer.FindToken("<|end|>");
  EXPECT_EQ(Encode(tokenizer, "hello<|end|>", {.add_bos = false, .parse_special = true}),
            (Ids{259, end}));
  const Ids plain = Encode(tokenizer, "hello<|end|>");
  EXPECT_EQ(std::count(plain.begin(), plain.end(), end), 0);
  EXPECT_EQ(tokenizer.Decode(plain), "hello<|end|>");
  EXPECT_EQ(tokenizer.Decode(Ids{259, end}), "hello");
  EXPECT_EQ(tokenizer.Decode(Ids{259, end}, true), "hello<|end|>");
}

TEST(TokenizerTest, Encode_MergeThatWouldMakeASpecialToken_IsLeftOut) {
  Vocabulary vocabulary = ByteLevelVocabulary("gpt-4o", {"a b"});
  vocabulary.types[256] = TokenType::kControl;
  EXPECT_EQ(Encode(Make(vocabulary), "ab"), (Ids{'a', 'b'}));
}

TEST(TokenizerTest, Encode_OverlappingSpecials_LongestWins) {
  const Tokenizer tokenizer =
      Make(ByteLevelVocabulary("gpt-4o", {}, {"<|a|>", "<|a|><|b|>", "<|b|>", "<|a|><|b|>!"}));
  const EncodeOptions special = {.add_bos = false, .parse_special = true};
  EXPECT_EQ(Encode(tokenizer, "<|a|><|b|>", special), Ids{257});
  EXPECT_EQ(Encode(tokenizer, "<|b|><|a|>", special), (Ids{258, 256}));
  EXPECT_EQ(Encode(tokenizer, "<|a|><|b|>!", special), Ids{259});
  EXPECT_EQ(Encode(tokenizer, "<|a|", special), (Ids{'<', '|', 'a', '|'}));
}

TEST(TokenizerTest, Encode_UserDefinedTokens_AreFoundInAnyText) {
  Vocabulary vocabulary = HelloVocabulary();
  const int32_t spaces = AddToken("    ", TokenType::kUserDefined, 0.0F, &vocabulary);
  const int32_t old_style = AddToken("<|user|>", TokenType::kUserDefined, 0.0F, &vocabulary);
  const Tokenizer tokenizer = Make(vocabulary);
  EXPECT_EQ(Encode(tokenizer, "hello    hello"), (Ids{259, spaces, 259}));
  const Ids plain = Encode(tokenizer, "<|user|>");
  EXPECT_EQ(std::count(plain.begin(), plain.end(), old_style), 0);
  EXPECT_EQ(Encode(tokenizer, "<|user|>", {.add_bos = false, .parse_special = true}),
            Ids{old_style});
}

TEST(TokenizerTest, Encode_Marks_AsTheVocabularyAsks) {
  Vocabulary vocabulary = HelloVocabulary();
  vocabulary.bos_id = 262;
  vocabulary.eos_id = 261;
  EXPECT_EQ(Encode(Make(vocabulary), "hello"), Ids{259});
  vocabulary.add_bos = vocabulary.add_eos = true;
  EXPECT_EQ(Encode(Make(vocabulary), "hello"), (Ids{262, 259, 261}));
  EXPECT_EQ(Encode(Make(vocabulary), "hello", {.add_bos = false}), Ids{259});
}

TEST(TokenizerTest, Encode_StripAfterSpecial_DropsWhiteSpace) {
  Vocabulary vocabulary = HelloVocabulary();
  vocabulary.strip_after_special = true;
  const Tokenizer tokenizer = Make(vocabulary);
  const EncodeOptions special = {.add_bos = false, .parse_special = true};
  EXPECT_EQ(Encode(tokenizer, "<|end|>\n hello", special), (Ids{261, 259}));
  EXPECT_EQ(Encode(tokenizer, "<|endoftext|> hello", special), (Ids{262, 260}));
}

TEST(TokenizerTest, IsEndOfGeneration_NamesEosAndExtras) {
  Vocabulary vocabulary = HelloVocabulary();
  vocabulary.eos_id = 259;
  vocabulary.extra_end_ids = {7};
  const Tokenizer tokenizer = Make(vocabulary);
  for (const int32_t id : {259, 7, 261, 262}) EXPECT_TRUE(tokenizer.IsEndOfGeneration(id)) << id;
  for (const int32_t id : {-1, 0, 260, 1 << 30})
    EXPECT_FALSE(tokenizer.IsEndOfGeneration(id)) << id;
}

TEST(TokenizerTest, Decode_IdsOutsideTheVocabulary_GiveNothing) {
  const Tokenizer tokenizer = Make(HelloVocabulary());
  EXPECT_EQ(tokenizer.Decode(Ids{-1, 259, 263, INT32_MAX, INT32_MIN}), "hello");
  EXPECT_EQ(tokenizer.TokenBytes(-1), "");
}

TEST(TokenizerTest, DigestHex_IsTheTokensNotTheTemplate) {
  Vocabulary vocabulary = HelloVocabulary();
  const std::string digest = Make(vocabulary).DigestHex();
  EXPECT_EQ(digest.size(), 32U);
  vocabulary.chat_template = "x";
  vocabulary.eos_id = 5;
  EXPECT_EQ(Make(vocabulary).DigestHex(), digest);
  vocabulary.tokens.back() += "x";
  EXPECT_NE(Make(vocabulary).DigestHex(), digest);
}

TEST(TokenizerTest, SentencePiece_JoinsByScore) {
  const std::string mark(kSpaceMark);
  const Tokenizer tokenizer =
      Make(SentencePieceVocabulary({"ab", "bc", "a", "b", "c", mark, mark + "a"}));
  // ids: ab 259, bc 260, a 261, b 262, c 263, mark 264, mark+a 265
  EXPECT_EQ(Encode(tokenizer, "abc"), (Ids{1, 264, 259, 263}));
  EXPECT_EQ(Encode(tokenizer, " abc", {.add_bos = false}), (Ids{264, 264, 259, 263}));
  EXPECT_EQ(Encode(tokenizer, "a", {.add_bos = false}), Ids{265});
  EXPECT_EQ(Encode(tokenizer, "", {.add_bos = true}), Ids{1});
  EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, " abc")), " abc");
  EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, "abc")), "abc");
}

// Words are merged one by one, but where a piece joins a character to the space behind it.
TEST(TokenizerTest, SentencePiece_PiecesAcrossSpaces_AreFound) {
  const std::string mark(kSpaceMark);
  const Tokenizer tokenizer = Make(
      SentencePieceVocabulary({">" + mark + "<", ">" + mark, "a", ">", "<", mark, mark + "a"}));
  EXPECT_EQ(Encode(tokenizer, "a> <a", {.add_bos = false}), (Ids{265, 259, 261}));
  EXPECT_EQ(Encode(tokenizer, "a a> a", {.add_bos = false}), (Ids{265, 265, 260, 261}));
}

// As in Gemma's files: runs of spaces and tabs are user-defined, with spaces as spaces.
TEST(TokenizerTest, SentencePiece_UserDefinedSpaces_AreFoundFirst) {
  const std::string mark(kSpaceMark);
  Vocabulary vocabulary = SentencePieceVocabulary({mark + "a", "a", mark});
  vocabulary.add_space_prefix = false;
  const int32_t two = AddToken("  ", TokenType::kUserDefined, 0.0F, &vocabulary);
  const int32_t three = AddToken("   ", TokenType::kUserDefined, 0.0F, &vocabulary);
  const int32_t turn = AddToken("<end_of_turn>", TokenType::kUserDefined, 0.0F, &vocabulary);
  const Tokenizer tokenizer = Make(vocabulary);
  EXPECT_EQ(Encode(tokenizer, "a    a", {.add_bos = false}), (Ids{260, three, 259}));
  EXPECT_EQ(Encode(tokenizer, "a  a", {.add_bos = false}), (Ids{260, two, 260}));
  // U+2581 is a space here, beside others too, and decoding says so.
  EXPECT_EQ(Encode(tokenizer, "a " + mark + "a" + mark, {.add_bos = false}),
            (Ids{260, two, 260, 261}));
  EXPECT_EQ(tokenizer.Decode(Ids{260, two, 260, 261}), "a  a ");
  // Written as a mark of turns, whatever its type: never made from what a user typed.
  const Ids plain = Encode(tokenizer, "a<end_of_turn>", {.add_bos = false});
  EXPECT_EQ(std::count(plain.begin(), plain.end(), turn), 0);
  EXPECT_EQ(Encode(tokenizer, mark + "<end_of_turn>", {.add_bos = false, .parse_special = true}),
            (Ids{261, turn}));
  EXPECT_TRUE(tokenizer.IsEndOfGeneration(turn));
}

TEST(TokenizerTest, FindSpecialToken_TheFirstThatIsSpelled) {
  Vocabulary vocabulary = HelloVocabulary();
  AddToken("    ", TokenType::kUserDefined, 0.0F, &vocabulary);
  const Tokenizer tokenizer = Make(vocabulary);
  EXPECT_EQ(tokenizer.FindSpecialToken("a    <|endoftext|><|end|>"), 262);
  EXPECT_EQ(tokenizer.FindSpecialToken("a    <|end|"), std::nullopt);
  EXPECT_EQ(tokenizer.FindSpecialToken(""), std::nullopt);
}

// DeepSeek's vocabularies have characters in the places of bytes that UTF-8 does not use.
TEST(TokenizerTest, Encode_UserDefinedCharacterOfTheByteAlphabet_IsNoByte) {
  Vocabulary vocabulary = HelloVocabulary();
  vocabulary.types[0xF6] = TokenType::kUserDefined;  // written as U+00F6
  const Tokenizer tokenizer = Make(vocabulary);
  EXPECT_EQ(Encode(tokenizer, "\u00F6"), Ids{0xF6});
  EXPECT_EQ(tokenizer.Decode(Ids{0xF6}), "\u00F6");
  const auto ids = tokenizer.Encode("\xF6", {});
  ASSERT_FALSE(ids.has_value());
  EXPECT_NE(ids.error().message.find("byte 0xF6 has no token"), std::string::npos);
}

TEST(TokenizerTest, SentencePiece_UnknownCharacters_BecomeBytes) {
  const Tokenizer tokenizer = Make(SentencePieceVocabulary({"a", std::string(kSpaceMark)}));
  EXPECT_EQ(Encode(tokenizer, "aé", {.add_bos = false}), (Ids{260, 259, 3 + 0xC3, 3 + 0xA9}));
  for (unsigned seed = 0; seed < 200; ++seed) {
    const std::string bytes = RandomBytes(seed, seed);
    EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, bytes)), bytes);
  }
}

TEST(TokenizerTest, SentencePiece_SpecialsInText_NeedAsking) {
  const Tokenizer tokenizer =
      Make(SentencePieceVocabulary({"<s", ">", "<", "s", std::string(kSpaceMark)}));
  const Ids plain = Encode(tokenizer, "<s>", {.add_bos = false});
  EXPECT_EQ(plain, (Ids{263, 259, 260})) << "merging must not make <s>";
  EXPECT_EQ(Encode(tokenizer, "<s>s", {.add_bos = false, .parse_special = true}),
            (Ids{1, 263, 262}));
  EXPECT_EQ(tokenizer.Decode(Ids{1, 263, 262}, true), "<s>s");
}

// One piece of a megabyte: the merge loop must not be quadratic. Generous, for sanitizer builds and
// busy machines.
TEST(TokenizerTest, Encode_MegabyteWithoutSpaces_IsNotQuadratic) {
  std::vector<std::string> merges;
  for (std::string a = "a"; a.size() <= 32; a += a) merges.push_back(fmt::format("{0} {0}", a));
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const auto left = static_cast<char>('a' + random() % 26);
    const auto right = static_cast<char>('a' + random() % 26);
    const std::string merge = {left, ' ', right};
    if (std::find(merges.begin(), merges.end(), merge) == merges.end()) merges.push_back(merge);
  }
  const Tokenizer tokenizer = Make(ByteLevelVocabulary("gpt-4o", merges));
  std::string letters(1 << 20, 'a');
  for (int round = 0; round < 2; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const Ids ids = Encode(tokenizer, letters);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_EQ(tokenizer.Decode(ids), letters);
    EXPECT_LT(seconds.count(), 20.0);
    RecordProperty("seconds_round_" + std::to_string(round), std::to_string(seconds.count()));
    for (char& c : letters) c = static_cast<char>('a' + random() % 26);
  }
}

// The same of SentencePiece, which sees all of a text at once where it cannot cut.
TEST(TokenizerTest, SentencePiece_LongRuns_AreNotQuadratic) {
  const std::string mark(kSpaceMark);
  std::vector<std::string> pieces = {"a" + mark, mark, "a", mark + "a"};  // no word ends anywhere
  for (std::string a = "aa"; a.size() <= 64; a += a) pieces.push_back(a);
  for (std::string a = mark + mark; a.size() <= 64; a += a) pieces.push_back(a);
  const Tokenizer tokenizer = Make(SentencePieceVocabulary(pieces));
  for (const char* unit : {"a", " ", "a ", "\n", "é"}) {
    std::string text;
    while (text.size() < (1 << 19)) text += unit;
    EXPECT_EQ(tokenizer.Decode(Encode(tokenizer, text)), text);
  }
}

}  // namespace
}  // namespace headway::tokenizer
