#include "gguf/split.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/digest.h"

namespace headway::gguf {
namespace {

namespace fs = std::filesystem;

TEST(SplitNameTest, IsStemNumberAndCount) {
  const auto name = ParseSplitName("/m/qwen-q4-00002-of-00011.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->stem, "/m/qwen-q4");
  EXPECT_EQ(name->number, 2U);
  EXPECT_EQ(name->count, 11U);
  EXPECT_EQ(SplitPath(name->stem, name->number, name->count), "/m/qwen-q4-00002-of-00011.gguf");
  for (const char* other :
       {"model.gguf", "m-00003-of-00002.gguf", "m-00000-of-00002.gguf", "m-0001-of-00002.gguf",
        "m-00001-of-00002.bin", "m-00001of-00002.gguf", "m00001-of-00002.gguf",
        "m-0000a-of-00002.gguf", "-of-00002.gguf", ".gguf", ""}) {
    EXPECT_FALSE(ParseSplitName(other)) << other;
  }
}

class SplitTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 (std::string("gguf_split_") +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
    for (uint32_t i = 0; i < 3; ++i) WritePart(i, TensorOf(i), {});
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Path(uint32_t index) const {
    return SplitPath((directory_ / "m").string(), index + 1, 3);
  }
  static std::string TensorOf(uint32_t index) { return fmt::format("w{}", index); }

  // One tensor of eight numbers 100 * index, 100 * index + 1, ...
  void WritePart(uint32_t index, const std::string& tensor,
                 const std::function<void(GgufWriter*)>& more,
                 SplitKeys keys = {.index = 0, .count = 3, .tensors = 3}) const {
    if (keys.index == 0) keys.index = index;
    GgufWriter writer(index == 1 ? 64 : 32);  // alignments may differ
    if (index == 0) writer.AddString("general.architecture", "llama");
    AddSplitKeys(keys, &writer);
    if (more) more(&writer);
    writer.AddTensor(tensor, DataType::kF32, Shape{2, 4});
    std::vector<float> values(8);
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = 100.0F * static_cast<float>(index) + static_cast<float>(i);
    ASSERT_TRUE(writer.Begin(Path(index)));
    ASSERT_TRUE(writer.WriteTensorBytes(tensor, std::as_bytes(std::span<const float>(values))));
    ASSERT_TRUE(writer.Finish());
  }

  // The message of opening part `index`, without the folder.
  std::string Refusal(uint32_t index, ErrorCode code = ErrorCode::kInvalidInput) const {
    const auto file = GgufFile::Open(Path(index));
    if (file) return "opened";
    EXPECT_EQ(static_cast<int>(file.error().code), static_cast<int>(code));
    std::string message = file.error().message;
    const std::string folder = directory_.string() + "/";
    for (size_t at = message.find(folder); at != std::string::npos; at = message.find(folder))
      message.erase(at, folder.size());
    return message;
  }

  fs::path directory_;
};

TEST_F(SplitTest, AnyPart_OpensTheWholeModel) {
  for (uint32_t asked = 0; asked < 3; ++asked) {
    auto opened = GgufFile::Open(Path(asked));
    ASSERT_TRUE(opened) << opened.error().message;
    const GgufFile file = *std::move(opened);
    EXPECT_EQ(file.NumParts(), 3U);
    EXPECT_EQ(file.Path(), Path(0));
    EXPECT_EQ(file.GetString("general.architecture").value(), "llama");
    ASSERT_EQ(file.Tensors().size(), 3U);
    for (uint32_t i = 0; i < 3; ++i) {
      const auto tensor = file.GetTensor(TensorOf(i));
      ASSERT_TRUE(tensor) << tensor.error().message;
      EXPECT_EQ(tensor->As<float>(DataType::kF32)[7], 100.0F * static_cast<float>(i) + 7);
      EXPECT_EQ(file.FindTensor(TensorOf(i))->part, i);
      EXPECT_EQ(file.PartPath(i), Path(i));
    }
    file.AdviseDone();
  }
}

TEST_F(SplitTest, MissingPart_IsNamed) {
  fs::remove(Path(1));
  EXPECT_EQ(Refusal(2, ErrorCode::kNotFound),
            "gguf: m-00003-of-00003.gguf: part 3 of 3 of a model of 3 tensors: part 2 is missing "
            "(expected m-00002-of-00003.gguf)");
}

TEST_F(SplitTest, RenamedPart_SaysWhatItIs) {
  fs::rename(Path(1), directory_ / "second.gguf");
  const auto file = GgufFile::Open((directory_ / "second.gguf").string());
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message.find("part 2 of 3 of a model of 3 tensors: expected a name that "
                                      "ends in -00002-of-00003.gguf"),
            std::string::npos)
      << file.error().message;
  fs::copy_file(Path(2), Path(1));
  EXPECT_EQ(Refusal(1).find("gguf: m-00002-of-00003.gguf: part 3 of 3"), 0U) << Refusal(1);
}

TEST_F(SplitTest, PartsThatDoNotBelongTogether_AreRefused) {
  fs::copy_file(Path(2), Path(1), fs::copy_options::overwrite_existing);
  EXPECT_EQ(Refusal(0),
            "gguf: m-00002-of-00003.gguf: expected part 2 of 3 of a model of 3 tensors, as "
            "m-00001-of-00003.gguf has it, found part 3 of 3 of a model of 3 tensors");
  WritePart(1, TensorOf(1), {}, {.index = 1, .count = 3, .tensors = 4});
  EXPECT_EQ(Refusal(2),
            "gguf: m-00002-of-00003.gguf: expected part 2 of 3 of a model of 3 tensors, as "
            "m-00003-of-00003.gguf has it, found part 2 of 3 of a model of 4 tensors");
  WritePart(1, TensorOf(2), {});
  EXPECT_EQ(Refusal(0),
            "gguf: m-00003-of-00003.gguf: tensor 'w2' is in m-00002-of-00003.gguf already: parts "
            "of different models");
  WritePart(1, TensorOf(1),
            [](GgufWriter* writer) { writer->AddString("general.architecture", "phi3"); });
  EXPECT_EQ(Refusal(1),
            "gguf: m-00002-of-00003.gguf: key 'general.architecture' is not as in "
            "m-00001-of-00003.gguf: parts of different models");
  WritePart(1, TensorOf(1),
            [](GgufWriter* writer) { writer->AddString("general.architecture", "llama"); });
  EXPECT_EQ(Refusal(1), "opened");  // the same said twice
}

TEST_F(SplitTest, WholeModelInAPartsPlace_IsRefused) {
  GgufWriter writer;
  writer.AddString("general.architecture", "llama");
  ASSERT_TRUE(writer.Begin(Path(1)));
  ASSERT_TRUE(writer.Finish());
  EXPECT_EQ(Refusal(0),
            "gguf: m-00002-of-00003.gguf: expected part 2 of 3 of a model of 3 tensors, as "
            "m-00001-of-00003.gguf has it, found a whole model");
  EXPECT_EQ(Refusal(1), "opened");  // no keys: a file that happens to be named so
}

TEST_F(SplitTest, TooFewTensors_AreRefused) {
  for (uint32_t i = 0; i < 3; ++i)
    WritePart(i, TensorOf(i), {}, {.index = i, .count = 3, .tensors = 5});
  EXPECT_EQ(Refusal(0),
            "gguf: m-00001-of-00003.gguf: 3 parts with 3 tensors: expected 5 "
            "(split.tensors.count)");
}

TEST_F(SplitTest, BadKeys_AreRefused) {
  const auto refusal = [&](const std::function<void(GgufWriter*)>& keys) {
    GgufWriter writer;
    keys(&writer);
    EXPECT_TRUE(writer.Begin(Path(0)));
    EXPECT_TRUE(writer.Finish());
    const auto file = GgufFile::Open(Path(0));
    return file ? std::string("opened") : file.error().message;
  };
  EXPECT_NE(refusal([](GgufWriter* w) { w->AddU16("split.count", 3); }).find("'split.no'"),
            std::string::npos);
  EXPECT_NE(refusal([](GgufWriter* w) { w->AddString("split.count", "3"); }).find("found string"),
            std::string::npos);
  const auto text = refusal([](GgufWriter* w) {
    w->AddU32("split.count", 4000000000U);
    w->AddU32("split.no", 0);
    w->AddU32("split.tensors.count", 1);
  });
  EXPECT_NE(text.find("at most 1024 parts"), std::string::npos) << text;
  EXPECT_EQ(refusal([](GgufWriter* w) { w->AddU16("split.count", 1); }), "opened");
}

TEST_F(SplitTest, Digest_IsOfAllPartsWhicheverIsNamed) {
  const auto digest = ModelDigestHex(Path(0));
  ASSERT_TRUE(digest) << digest.error().message;
  EXPECT_EQ(ModelDigestHex(Path(2)).value(), *digest);
  std::fstream bytes(Path(1), std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(-1, std::ios::end);
  bytes.put('\x7f');
  bytes.close();
  EXPECT_NE(ModelDigestHex(Path(0)).value(), *digest);
  const std::string single = (directory_ / "single.gguf").string();
  fs::copy_file(Path(0), single);
  EXPECT_EQ(ModelDigestHex(single).value(), FileDigestHex(single).value());
}

}  // namespace
}  // namespace headway::gguf
