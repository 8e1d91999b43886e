#include "model/vocabulary.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "tokenizer/reference_fixture.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary_fixture.h"

namespace headway::model {
namespace {

using tokenizer::Vocabulary;

Result<Vocabulary> Reread(const gguf::GgufWriter& writer) {
  HW_TRY(const std::vector<std::byte> bytes, writer.HeaderBytes());
  HW_TRY(const gguf::GgufFile file, gguf::GgufFile::Parse(bytes, "test.gguf"));
  return VocabularyFromGguf(file);
}

void ExpectRoundTrip(const Vocabulary& before) {
  gguf::GgufWriter writer;
  AddVocabularyToGguf(before, &writer);
  const auto after = Reread(writer);
  ASSERT_TRUE(after.has_value()) << after.error().message;
  EXPECT_EQ(after->model, before.model);
  EXPECT_EQ(after->pre, before.pre);
  EXPECT_EQ(after->tokens, before.tokens);
  EXPECT_EQ(after->scores, before.scores);
  EXPECT_EQ(after->types, before.types);
  EXPECT_EQ(after->merges, before.merges);
  EXPECT_EQ(after->bos_id, before.bos_id);
  EXPECT_EQ(after->eos_id, before.eos_id);
  EXPECT_EQ(after->unknown_id, before.unknown_id);
  EXPECT_EQ(after->padding_id, before.padding_id);
  EXPECT_EQ(after->add_bos, before.add_bos);
  EXPECT_EQ(after->add_eos, before.add_eos);
  EXPECT_EQ(after->add_space_prefix, before.add_space_prefix);
  EXPECT_EQ(after->strip_after_special, before.strip_after_special);
  EXPECT_EQ(after->chat_template, before.chat_template);
  EXPECT_EQ(after->extra_end_ids, before.extra_end_ids);
}

TEST(VocabularyGgufTest, WritingAndReading_GivesTheSame) {
  Vocabulary byte_level = tokenizer::ByteLevelVocabulary("llama-bpe", {"a b"}, {"<|end|>"});
  ExpectRoundTrip(byte_level);
  byte_level.bos_id = byte_level.eos_id = byte_level.padding_id = 257;
  byte_level.add_bos = byte_level.add_eos = true;
  byte_level.chat_template = "{{ x }}\n";
  byte_level.extra_end_ids = {257, 1, 2, 3};
  byte_level.strip_after_special = true;
  ExpectRoundTrip(byte_level);
  Vocabulary pieces = tokenizer::SentencePieceVocabulary({"ab"});
  ExpectRoundTrip(pieces);
  pieces.add_space_prefix = pieces.add_bos = false;
  pieces.bos_id = std::nullopt;
  ExpectRoundTrip(pieces);
}

TEST(VocabularyGgufTest, MissingKeys_TakeTheUsualDefaults) {
  const std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "a"};
  gguf::GgufWriter llama;
  llama.AddString("tokenizer.ggml.model", "llama");
  llama.AddStringArray("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
  llama.AddString("general.name", "Phi-3 mini");
  const auto pieces = Reread(llama);
  ASSERT_TRUE(pieces.has_value()) << pieces.error().message;
  EXPECT_EQ(pieces->unknown_id, 0);
  EXPECT_EQ(pieces->bos_id, 1);
  EXPECT_EQ(pieces->eos_id, 2);
  EXPECT_TRUE(pieces->add_bos);
  EXPECT_TRUE(pieces->add_space_prefix);
  EXPECT_TRUE(pieces->strip_after_special);

  gguf::GgufWriter gpt2;
  gpt2.AddString("tokenizer.ggml.model", "gpt2");
  gpt2.AddString("tokenizer.ggml.pre", "gpt-4o");
  gpt2.AddStringArray("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
  gpt2.AddString("general.name", "Phi-4 mini");
  gpt2.AddU32("tokenizer.ggml.eot_token_id", 2);
  const auto bytes = Reread(gpt2);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  EXPECT_FALSE(bytes->bos_id.has_value());
  EXPECT_FALSE(bytes->add_bos);
  EXPECT_FALSE(bytes->strip_after_special);
  EXPECT_EQ(bytes->extra_end_ids, std::vector<int32_t>{2});
}

// What converters leave behind, as llama.cpp takes it.
TEST(VocabularyGgufTest, LeftoversOfConverters_AreRead) {
  const std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "a", "", "b"};
  const std::vector<int32_t> types = {2, 3, 3, 0, 1, 1, 1, 1};
  const std::vector<float> scores = {0, 0, 0, -1, -2, -3, -4, -5};
  gguf::GgufWriter writer;
  writer.AddString("tokenizer.ggml.model", "llama");
  writer.AddStringArray("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
  writer.AddArray<int32_t>("tokenizer.ggml.token_type", types);
  writer.AddArray<float>("tokenizer.ggml.scores", scores);
  writer.AddU32("tokenizer.ggml.padding_token_id", 6);
  writer.AddU32("tokenizer.ggml.eot_token_id", 1000);
  writer.AddBool("tokenizer.ggml.add_space_prefix", false);
  auto vocabulary = Reread(writer);
  ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->tokens[4], "[EMPTY_4]");
  EXPECT_EQ(vocabulary->types[3], tokenizer::TokenType::kNormal);
  EXPECT_FALSE(vocabulary->padding_id.has_value());
  EXPECT_TRUE(vocabulary->extra_end_ids.empty());
  const auto tokenizer = tokenizer::Tokenizer::Create(*std::move(vocabulary));
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->Encode("ab", {.add_bos = false}).value(), (std::vector<int32_t>{3, 5}));
}

TEST(VocabularyGgufTest, MissingAddBos_FollowsThePretokenizer) {
  const std::vector<std::string> tokens = {"a", "b"};
  for (const auto& [pre, adds] : {std::pair("tekken", true), std::pair("lfm2", true),
                                  std::pair("qwen2", false), std::pair("smaug-bpe", false)}) {
    gguf::GgufWriter writer;
    writer.AddString("tokenizer.ggml.model", "gpt2");
    writer.AddString("tokenizer.ggml.pre", pre);
    writer.AddStringArray("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
    writer.AddU32("tokenizer.ggml.bos_token_id", 1);
    const auto vocabulary = Reread(writer);
    ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
    EXPECT_EQ(vocabulary->add_bos, adds) << pre;
  }
}

TEST(VocabularyGgufTest, WrongMetadata_SaysWhichKey) {
  gguf::GgufWriter empty;
  const auto none = Reread(empty);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find("tokenizer.ggml.model"), std::string::npos)
      << none.error().message;

  const std::vector<std::string> tokens = {"a"};
  gguf::GgufWriter writer;
  writer.AddString("tokenizer.ggml.model", "gpt2");
  writer.AddStringArray("tokenizer.ggml.tokens", std::span<const std::string>(tokens));
  writer.AddString("tokenizer.ggml.bos_token_id", "one");
  const auto vocabulary = Reread(writer);
  ASSERT_FALSE(vocabulary.has_value());
  EXPECT_EQ(vocabulary.error().message,
            "gguf: test.gguf: key 'tokenizer.ggml.bos_token_id': expected a token id, found string "
            "'one'");
}

// The route of issue 2: the real vocabulary through a vocabulary-only GGUF file, then ids against
// an independent implementation (tools/tokenizer_reference).
TEST(SlowVocabularyGgufTest, O200kThroughAFile_SameIdsAsTheReference) {
  const auto reference = tokenizer::ReadReference("o200k_base");
  if (!reference) GTEST_SKIP() << tokenizer::kReferenceMissing;
  ASSERT_GE(reference->cases.size(), 2000U);
  const std::string path =
      testing::TempDir() + "headway_o200k_vocabulary." + std::to_string(::getpid()) + ".gguf";
  gguf::GgufWriter writer;
  writer.AddString("general.architecture", "phi3");
  AddVocabularyToGguf(tokenizer::Phi4MiniVocabulary(*reference), &writer);
  ASSERT_TRUE(writer.Begin(path).has_value());
  ASSERT_TRUE(writer.Finish().has_value());

  const auto start = std::chrono::steady_clock::now();
  const auto file = gguf::GgufFile::Open(path);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  auto vocabulary = VocabularyFromGguf(*file);
  ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
  const auto tokenizer = tokenizer::Tokenizer::Create(*std::move(vocabulary));
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  std::remove(path.c_str());

  size_t differences = 0;
  for (const auto& test_case : reference->cases) {
    const auto ids = tokenizer->Encode(test_case.text, {});
    ASSERT_TRUE(ids.has_value()) << ids.error().message;
    if (*ids != test_case.ids) ++differences;
  }
  EXPECT_EQ(differences, 0U);
  std::printf("%zu texts compared, %zu differences; file to tokenizer in %.3f s\n",
              reference->cases.size(), differences, seconds.count());
}

}  // namespace
}  // namespace headway::model
