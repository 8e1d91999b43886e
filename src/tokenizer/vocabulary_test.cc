// Vocabularies that are wrong: each gives its message, none a crash.

#include "tokenizer/vocabulary.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary_fixture.h"

namespace headway::tokenizer {
namespace {

struct BadCase {
  const char* name;
  void (*damage)(Vocabulary*);  // of a good byte-level vocabulary: 256 bytes and "ab"
  const char* message;
};

constexpr BadCase kBadCases[] = {
    {"Model", [](Vocabulary* v) { v->model = "bert"; },
     "tokenizer: model: expected 'gpt2' (byte-level BPE) or 'llama' (SentencePiece), found 'bert'"},
    {"NoTokens", [](Vocabulary* v) { v->tokens.clear(); },
     "tokenizer: tokens: expected 1 to 16777216 entries, found 0"},
    {"Duplicate", [](Vocabulary* v) { v->tokens[256] = "a"; },
     "tokenizer: tokens 97 and 256: expected different texts, found 'a' twice"},
    {"EmptyToken", [](Vocabulary* v) { v->tokens[5].clear(); },
     "tokenizer: token 5: expected 1 to 4096 bytes of text, found 0"},
    {"HugeToken", [](Vocabulary* v) { v->tokens[5].assign(5000, 'x'); },
     "tokenizer: token 5: expected 1 to 4096 bytes of text, found 5000"},
    {"Types", [](Vocabulary* v) { v->types.pop_back(); },
     "tokenizer: types: expected 257 entries, one per token, found 256"},
    {"TypeValue", [](Vocabulary* v) { v->types[3] = static_cast<TokenType>(77); },
     "tokenizer: token 3: expected a type from 1 to 6, found 77"},
    {"Scores", [](Vocabulary* v) { v->scores.push_back(0.0F); },
     "tokenizer: scores: expected 257 entries, one per token, found 258"},
    {"ScoreValue", [](Vocabulary* v) { v->scores[9] = std::numeric_limits<float>::quiet_NaN(); },
     "tokenizer: token 9: expected a finite score, found nan"},
    {"ScoresOfLlama",
     [](Vocabulary* v) {
       v->model = "llama";
       v->scores.clear();
     },
     "tokenizer: scores: expected 257 entries, one per token, found 0"},
    {"MergeOfUnknown", [](Vocabulary* v) { v->merges.push_back("a xyz"); },
     "tokenizer: merge 1 ('a xyz'): expected tokens of the vocabulary, found none with the text "
     "'xyz'"},
    {"MergeIntoUnknown", [](Vocabulary* v) { v->merges.push_back("b a"); },
     "tokenizer: merge 1 ('b a'): expected tokens of the vocabulary, found none with the text "
     "'ba'"},
    {"MergeOfOne", [](Vocabulary* v) { v->merges.push_back("ab"); },
     "tokenizer: merge 1: expected two tokens with a space between, found 'ab'"},
    {"MergeOfNothing", [](Vocabulary* v) { v->merges.push_back(""); },
     "tokenizer: merge 1: expected two tokens with a space between, found ''"},
    {"BosId", [](Vocabulary* v) { v->bos_id = 257; },
     "tokenizer: bos_id: expected an id below 257, found 257"},
    {"EosId", [](Vocabulary* v) { v->eos_id = -1; },
     "tokenizer: eos_id: expected an id below 257, found -1"},
    {"UnknownId", [](Vocabulary* v) { v->unknown_id = 1 << 30; },
     "tokenizer: unknown_id: expected an id below 257, found 1073741824"},
    {"ExtraEnd",
     [](Vocabulary* v) {
       v->extra_end_ids = {1, 300};
     },
     "tokenizer: extra_end_ids: expected an id below 257, found 300"},
    {"AddBos", [](Vocabulary* v) { v->add_bos = true; },
     "tokenizer: add_bos is set, expected a bos_id, found none"},
    {"AddEos", [](Vocabulary* v) { v->add_eos = true; },
     "tokenizer: add_eos is set, expected an eos_id, found none"},
    {"ByteToken", [](Vocabulary* v) { v->types[256] = TokenType::kByte; },
     "tokenizer: byte token 256: expected '<0x00>' to '<0xFF>', found 'ab'"},
};

class BadVocabularyTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadVocabularyTest, Create_SaysWhatIsWrong) {
  Vocabulary vocabulary = ByteLevelVocabulary("gpt-4o", {"a b"});
  ASSERT_TRUE(Tokenizer::Create(vocabulary).has_value());
  GetParam().damage(&vocabulary);
  const auto tokenizer = Tokenizer::Create(vocabulary);
  ASSERT_FALSE(tokenizer.has_value());
  EXPECT_EQ(tokenizer.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(Cases, BadVocabularyTest, testing::ValuesIn(kBadCases),
                         [](const auto& bad) { return std::string(bad.param.name); });

TEST(VocabularyTest, MissingByte_IsAnErrorOnlyWhenTheTextHasIt) {
  Vocabulary vocabulary = ByteLevelVocabulary("gpt-4o", {});
  vocabulary.tokens['z'] = "<|z|>";
  auto tokenizer = Tokenizer::Create(vocabulary);
  ASSERT_TRUE(tokenizer.has_value());
  EXPECT_TRUE(tokenizer->Encode("abc", {}).has_value());
  const auto ids = tokenizer->Encode("abz", {});
  ASSERT_FALSE(ids.has_value());
  EXPECT_EQ(
      ids.error().message,
      "tokenizer: text: byte 0x7A has no token in this vocabulary, and there is no unknown token");
  vocabulary.unknown_id = 'z';
  vocabulary.types['z'] = TokenType::kUnknown;
  tokenizer = Tokenizer::Create(vocabulary);
  ASSERT_TRUE(tokenizer.has_value());
  EXPECT_EQ(tokenizer->Encode("az", {}).value(), (std::vector<int32_t>{'a', 'z'}));
}

// Random damage of every kind at once: whatever Create accepts must encode and decode without a
// crash.
TEST(VocabularyTest, RandomVocabularies_NeverCrash) {
  std::mt19937 random(11);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    const bool byte_level = random() % 2 == 0;
    Vocabulary vocabulary = byte_level ? ByteLevelVocabulary("gpt-4o", {"a b", "ab a"})
                                       : SentencePieceVocabulary({"ab", "a", "b"});
    for (unsigned i = random() % 4; i > 0; --i) {
      const auto id = static_cast<size_t>(random() % vocabulary.tokens.size());
      switch (random() % 6) {
        case 0:
          vocabulary.tokens[id] = std::string(random() % 4, static_cast<char>(random()));
          break;
        case 1:
          vocabulary.types[id] = static_cast<TokenType>(random() % 8);
          break;
        case 2:
          vocabulary.merges.push_back("a " + vocabulary.tokens[id]);
          break;
        case 3:
          vocabulary.scores[id] = static_cast<float>(random() % 5);
          break;
        case 4:
          vocabulary.unknown_id = static_cast<int32_t>(random() % 300);
          break;
        default:
          vocabulary.types.clear();
          vocabulary.types.resize(vocabulary.tokens.size(), TokenType::kUserDefined);
      }
    }
    const auto tokenizer = Tokenizer::Create(std::move(vocabulary));
    if (!tokenizer) continue;
    ++accepted;
    const auto ids =
        tokenizer->Encode("abab <s> \xFF é ab", {.add_bos = true, .parse_special = true});
    if (ids) tokenizer->Decode(*ids, true);
  }
  EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace headway::tokenizer
