#include "manifest/manifest.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>

#include "base/directory.h"
#include "base/file_writer.h"
#include "manifest/json_io.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

Manifest Example() {
  Manifest manifest;
  manifest.producer = "headway test";
  manifest.source_file = "model.gguf";
  manifest.source_digest = "00";
  manifest.device = "cpu";
  manifest.model.architecture = "phi3";
  manifest.model.num_hidden_layers = 12;
  manifest.model.vocab_size = 100;
  manifest.model.rms_norm_eps = 1e-5F;
  manifest.model.rope_theta = 10000.0;
  manifest.model.rotary_dim = 4;
  manifest.model.rope_long_factors = {1.0F, 2.5F};
  manifest.tokenizer = {.path = "tokenizer.gguf", .bytes = 3, .digest = "aa"};
  manifest.layers.push_back(
      {.start = 0, .end = 6, .file = {.path = "a.shard", .bytes = 1, .digest = "bb"}});
  manifest.layers.push_back(
      {.start = 6, .end = 12, .file = {.path = "b.shard", .bytes = 1, .digest = "cc"}});
  HeadSpec head{.kind = "full:1", .shards = {}};
  head.shards.push_back(
      {.shard_index = 0, .vocab_start = 0, .vocab_end = 100, .file = {"h.shard", 1, "dd"}});
  manifest.heads.push_back(head);
  return manifest;
}

std::string MessageOf(const Manifest& manifest) {
  const auto result = ManifestFromJson(ToJson(manifest), "m.json");
  return result ? "" : result.error().message;
}

TEST(ManifestTest, Json_RoundTrip_IsEqualAndDeterministic) {
  const Manifest manifest = Example();
  const auto back = ManifestFromJson(ToJson(manifest), "m.json");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, manifest);
  EXPECT_EQ(ToJson(*back), ToJson(manifest));
}

// Paths that lead out of the package name nothing in it.
TEST(ManifestTest, FileBesidePackage_IsFoundWhateverTheManifestNames) {
  std::string made = (fs::temp_directory_path() / "headway-manifest-XXXXXX").string();
  ASSERT_NE(::mkdtemp(made.data()), nullptr);
  const fs::path package = made;
  Manifest manifest = Example();
  manifest.layers.front().file.path = "layers/a.shard";
  manifest.layers.back().file.path = "/etc/b.shard";
  manifest.tokenizer.path = "../other/tokenizer.gguf";
  ASSERT_TRUE(WriteTextFileAtomically((package / kManifestFileName).string(), ToJson(manifest)));
  fs::create_directory(package / "layers");
  for (const char* name : {"layers/a.shard", "h.shard"})
    ASSERT_TRUE(WriteTextFileAtomically((package / name).string(), "x"));
  EXPECT_EQ(FileBesidePackage(made), std::nullopt);
  ASSERT_TRUE(WriteTextFileAtomically((package / "layers/notes.txt").string(), "x"));
  EXPECT_EQ(FileBesidePackage(made), "layers/notes.txt");
  RemoveTree(made);
}

TEST(ManifestTest, FileBesidePackage_IsFoundInCoremlPackages) {
  std::string made = (fs::temp_directory_path() / "headway-manifest-XXXXXX").string();
  ASSERT_NE(::mkdtemp(made.data()), nullptr);
  const fs::path package = made;
  Manifest manifest = Example();
  manifest.layers.front().file.path = "layers.mlpackage";
  ASSERT_TRUE(WriteTextFileAtomically((package / kManifestFileName).string(), ToJson(manifest)));
  const std::string items = "layers.mlpackage/Data/com.apple.CoreML/";
  fs::create_directories(package / (items + "weights"));
  const auto write = [&](const std::string& name) {
    ASSERT_TRUE(WriteTextFileAtomically((package / name).string(), "x"));
  };
  for (const std::string& name : {std::string("layers.mlpackage/Manifest.json"),
                                  items + "model.mlmodel", items + "weights/weight.bin"})
    write(name);
  write("layers.mlpackage/.DS_Store");
  EXPECT_EQ(FileBesidePackage(made), std::nullopt);
  write(items + "weights/mine.bin");
  EXPECT_EQ(FileBesidePackage(made), items + "weights/mine.bin");
  fs::remove(package / (items + "weights/mine.bin"));
  fs::create_directory(package / "layers.mlpackage/notes");
  EXPECT_EQ(FileBesidePackage(made), "layers.mlpackage/notes");
  RemoveTree(made);
}

// Left out of models that have them not: their packages stay the same bytes.
TEST(ManifestTest, WhatFewModelsHave_RoundTripsAndIsLeftOutElsewhere) {
  Manifest manifest = Example();
  EXPECT_EQ(ToJson(manifest).find("global_layers"), std::string::npos);
  EXPECT_EQ(ToJson(manifest).find("embedding_scale"), std::string::npos);
  manifest.model.global_layers = {5, 11};
  manifest.model.unrotated_layers = {3};
  manifest.model.rope_local_theta = 10000.0;
  manifest.model.embedding_scale = 25.298221F;
  manifest.model.attention_scale = 0.0625F;
  manifest.model.residual_scale = 0.22F;
  manifest.model.logit_scale = 0.125F;
  manifest.model.attention_soft_cap = 50.0F;
  manifest.model.logit_soft_cap = 30.0F;
  manifest.model.fused_qkv = true;
  manifest.model.biases = {"attn_q", "attn_k"};
  const auto back = ManifestFromJson(ToJson(manifest), "m.json");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, manifest);
}

TEST(ManifestTest, FirstRows_RoundTripAndAreChecked) {
  Manifest manifest = Example();
  HeadSpec& head = manifest.heads[0];
  head.planes = {.path = "p.planes", .bytes = 1, .digest = "ff"};
  head.first = FirstRows{.file = {.path = "f.shard", .bytes = 1, .digest = "ab"}, .ids = {3, 99}};
  const auto back = ManifestFromJson(ToJson(manifest), "m.json");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, manifest);
  for (const std::vector<int32_t>& wrong :
       {std::vector<int32_t>{}, {3, 3}, {9, 3}, {-1, 3}, {3, 100}}) {
    head.first->ids = wrong;
    EXPECT_NE(MessageOf(manifest).find("ids ascending from 0 to 99"), std::string::npos);
  }
  head.first->ids = {3};
  head.planes.reset();
  EXPECT_NE(MessageOf(manifest).find("expected planes beside its first rows"), std::string::npos);
}

// Buffers are sized by these numbers; factors are read by pair.
TEST(ManifestTest, ModelsThatCannotBe_AreRefused) {
  Manifest manifest = Example();
  manifest.model.rope_short_factors = {1.0F};
  EXPECT_NE(MessageOf(manifest).find("expected 2 rotary factors or none, found 1"),
            std::string::npos);
  for (int64_t ModelConfig::*const field :
       {&ModelConfig::hidden_size, &ModelConfig::head_dim, &ModelConfig::rotary_dim,
        &ModelConfig::num_attention_heads, &ModelConfig::num_key_value_heads,
        &ModelConfig::intermediate_size, &ModelConfig::max_position_embeddings}) {
    for (const int64_t wrong : {int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
      Manifest changed = Example();
      changed.model.*field = wrong;
      EXPECT_NE(MessageOf(changed).find("m.json: model: "), std::string::npos) << wrong;
    }
  }
}

// Names of models and files come from outside, in any bytes.
TEST(ManifestTest, BytesOutsideUtf8_AreWrittenAsReplacements) {
  Manifest manifest = Example();
  manifest.model.name = "caf\xe9 \xff";
  manifest.source_file = "m\x80.gguf";
  const auto back = ManifestFromJson(ToJson(manifest), "m.json");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->model.name, "caf\xef\xbf\xbd \xef\xbf\xbd");
  EXPECT_EQ(back->source_file, "m\xef\xbf\xbd.gguf");
  EXPECT_EQ(ToJson(*back), ToJson(manifest));
  const auto entry = FileEntryFromJsonLine(
      ToJsonLine({.path = "\xff", .bytes = 1, .digest = "aa", .blocks = "bb"}));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->blocks, "bb");
}

TEST(ManifestTest, DeepNesting_IsRefusedBeforeItIsParsed) {
  const std::string deep = "{\"schema\": " + std::string(200000, '[');
  const auto result = ManifestFromJson(deep, "m.json");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("JSON of at most 64 levels"), std::string::npos);
  EXPECT_FALSE(LooksLikeManifest(deep));
  EXPECT_FALSE(FileEntryFromJsonLine(deep).has_value());
}

TEST(ManifestTest, GoldensAndGates_RoundTripAndMayBeAbsent) {
  Manifest manifest = Example();
  EXPECT_EQ(ToJson(manifest).find("gates"), std::string::npos);
  manifest.goldens = {.path = "goldens.bin", .bytes = 9, .digest = "ee"};
  manifest.gates.push_back(
      {.gate = "residency", .passed = false, .basis = "measured", .detail = "1 op"});
  const auto back = ManifestFromJson(ToJson(manifest), "m.json");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, manifest);
  manifest.goldens->path = "../goldens.bin";
  EXPECT_NE(MessageOf(manifest).find("expected a path inside the package"), std::string::npos);
}

TEST(ManifestTest, Json_OneCharacterChanged_DigestDiffers) {
  std::string text = ToJson(Example());
  text.replace(text.find("\"cpu\""), 5, "\"gpu\"");
  const auto result = ManifestFromJson(text, "m.json");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("expected digest"), std::string::npos);
}

TEST(ManifestTest, Json_Garbage_SaysNotAManifest) {
  for (const std::string text :
       {"", "{", "[]", "{\"schema\": \"x\"}", "null", "{\"schema\": 2, \"digest\": 3}"}) {
    const auto result = ManifestFromJson(text, "m.json");
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt) << text;
  }
}

TEST(ManifestTest, Coverage_GapOverlapShort_AreNamed) {
  Manifest gap = Example();
  gap.layers[1].start = 7;
  EXPECT_NE(MessageOf(gap).find("expected the next one to start at layer 6, found [7, 12)"),
            std::string::npos);
  Manifest overlap = Example();
  overlap.layers[1].start = 5;
  EXPECT_NE(MessageOf(overlap).find("start at layer 6, found [5, 12)"), std::string::npos);
  Manifest short_cover = Example();
  short_cover.layers.pop_back();
  EXPECT_NE(MessageOf(short_cover).find("expected layers [0, 12), found [0, 6)"),
            std::string::npos);
  Manifest head = Example();
  head.heads[0].shards[0].vocab_end = 99;
  EXPECT_NE(MessageOf(head).find("expected tokens [0, 100), found [0, 99)"), std::string::npos);
}

TEST(ManifestTest, Path_OutsideThePackage_IsRefused) {
  for (const std::string path : {"../x", "/etc/passwd", "a/../../b", ""}) {
    Manifest manifest = Example();
    manifest.layers[0].file.path = path;
    EXPECT_NE(MessageOf(manifest).find("expected a path inside the package"), std::string::npos)
        << path;
  }
}

TEST(ManifestTest, OpenManifest_MissingTruncatedAltered_AreToldApart) {
  const std::string directory = testing::TempDir() + "headway_manifest_open";
  fs::remove_all(directory);
  fs::create_directories(directory);
  const auto missing = OpenManifest(directory, false);
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("expected a package"), std::string::npos);

  Manifest manifest = Example();
  const auto write = [&](FileEntry* file, const std::string& text) {
    ASSERT_TRUE(WriteTextFileAtomically(directory + "/" + file->path, text).has_value());
    file->bytes = text.size();
    file->digest = *FileDigestHex(directory + "/" + file->path);
  };
  write(&manifest.tokenizer, "tok");
  write(&manifest.layers[0].file, "layers a");
  write(&manifest.layers[1].file, "layers b");
  write(&manifest.heads[0].shards[0].file, "head");
  ASSERT_TRUE(WriteTextFileAtomically(directory + "/manifest.json", ToJson(manifest)).has_value());
  EXPECT_TRUE(OpenManifest(directory, true).has_value());

  ASSERT_TRUE(WriteTextFileAtomically(directory + "/b.shard", "layers c").has_value());
  EXPECT_TRUE(OpenManifest(directory, false).has_value());
  const auto altered = OpenManifest(directory, true);
  ASSERT_FALSE(altered.has_value());
  EXPECT_NE(altered.error().message.find("expected digest"), std::string::npos);

  ASSERT_TRUE(WriteTextFileAtomically(directory + "/b.shard", "lay").has_value());
  const auto truncated = OpenManifest(directory, false);
  ASSERT_FALSE(truncated.has_value());
  EXPECT_NE(truncated.error().message.find("expected 8 bytes, found 3"), std::string::npos);

  fs::remove(directory + "/b.shard");
  EXPECT_FALSE(OpenManifest(directory, false).has_value());
  fs::remove_all(directory);
}

}  // namespace
}  // namespace headway
