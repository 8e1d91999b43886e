#include "gguf/gguf_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "gguf/gguf_file.h"

namespace headway::gguf {
namespace {

namespace fs = std::filesystem;

class GgufWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 (std::string("gguf_writer_") +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Path(const char* name) const { return (directory_ / name).string(); }
  size_t NumFiles() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  fs::path directory_;
};

// Byte for byte what the specification says, written out by hand.
TEST_F(GgufWriterTest, SmallestFile_HasTheSpecifiedBytes) {
  GgufWriter writer;
  writer.AddU16("a", 0x1234);
  writer.AddTensor("t", DataType::kF16, Shape{2, 3});
  const auto header = writer.HeaderBytes();
  ASSERT_TRUE(header);
  const std::vector<int> expected = {
      'G', 'G', 'U', 'F', 3,    0,    0, 0,       // magic, version
      1,   0,   0,   0,   0,    0,    0, 0,       // tensors
      1,   0,   0,   0,   0,    0,    0, 0,       // metadata entries
      1,   0,   0,   0,   0,    0,    0, 0, 'a',  // key
      2,   0,   0,   0,   0x34, 0x12,             // u16
      1,   0,   0,   0,   0,    0,    0, 0, 't',  // name
      2,   0,   0,   0,                           // rank
      3,   0,   0,   0,   0,    0,    0, 0,       // innermost extent first
      2,   0,   0,   0,   0,    0,    0, 0,       //
      1,   0,   0,   0,                           // F16
      0,   0,   0,   0,   0,    0,    0, 0,       // offset
  };
  ASSERT_EQ(header->size() % 32, 0U);
  ASSERT_GE(header->size(), expected.size());
  for (size_t i = 0; i < header->size(); ++i) {
    EXPECT_EQ(static_cast<int>((*header)[i]), i < expected.size() ? expected[i] : 0)
        << "byte " << i;
  }
}

TEST_F(GgufWriterTest, EveryTypeAndPiecewiseTensors_ReadBack) {
  const std::string path = Path("all.gguf");
  const std::vector<std::string> tokens = {"hello", "", "\xf0\x9f\x98\x80"};
  const std::vector<float> weights = {1, 2, 3, 4, 5, 6};
  const std::array<std::byte, 34> block{std::byte{0}, std::byte{0x3c}, std::byte{9}};
  {
    GgufWriter writer(64);
    writer.AddU8("u8", 1);
    writer.AddI8("i8", -1);
    writer.AddU16("u16", 2);
    writer.AddI16("i16", -2);
    writer.AddU32("u32", 3);
    writer.AddI32("i32", -3);
    writer.AddU64("u64", 1ULL << 63);
    writer.AddI64("i64", -4);
    writer.AddF32("f32", 0.5F);
    writer.AddF64("f64", 0.1);
    writer.AddBool("bool", true);
    writer.AddString("string", "text");
    writer.AddStringArray("tokens", std::span<const std::string>(tokens));
    writer.AddArray("floats", std::span<const float>(weights));
    writer.AddTensor("first", DataType::kF32, Shape{2, 3});
    writer.AddTensor("second", DataType::kQ8_0, Shape{1, 32});
    ASSERT_TRUE(writer.Begin(path));
    const auto bytes = std::as_bytes(std::span<const float>(weights));
    ASSERT_TRUE(writer.WriteTensorBytes("first", bytes.first(5)));
    ASSERT_TRUE(writer.WriteTensorBytes("first", bytes.subspan(5)));
    ASSERT_TRUE(writer.WriteTensorBytes("second", block));
    EXPECT_FALSE(fs::exists(path));
    ASSERT_TRUE(writer.Finish());
    EXPECT_EQ(writer.TensorBytes(), 24U + 34U);
    EXPECT_EQ(writer.SizeBytes(), fs::file_size(path));
  }
  EXPECT_EQ(NumFiles(), 1U);
  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->AlignmentBytes(), 64U);
  EXPECT_EQ(file->Find("i8")->IntegerAt(0), -1);
  EXPECT_EQ(file->Find("i16")->IntegerAt(0), -2);
  EXPECT_EQ(file->Find("i32")->IntegerAt(0), -3);
  EXPECT_EQ(file->Find("i64")->IntegerAt(0), -4);
  EXPECT_EQ(file->Find("u64")->IntegerAt(0), std::nullopt);
  EXPECT_EQ(file->Find("f64")->FloatAt(0), 0.1);
  EXPECT_EQ(file->GetU32("u8").value(), 1U);
  EXPECT_EQ(file->GetString("string").value(), "text");
  EXPECT_EQ(file->GetStringArray("tokens").value()[2], tokens[2]);
  EXPECT_EQ(file->GetF32Array("floats").value(), weights);
  EXPECT_EQ(file->GetTensor("first")->As<float>(DataType::kF32)[5], 6.0F);
  EXPECT_EQ(file->FindTensor("first")->offset_bytes % 64, 0U);
  EXPECT_EQ(std::memcmp(file->GetTensor("second")->data, block.data(), block.size()), 0);
  EXPECT_EQ(file->Mapping().Bytes().size(), fs::file_size(path));
}

TEST_F(GgufWriterTest, CopiedMetadata_IsEqualBitForBit) {
  GgufWriter original;
  original.AddString("s", "x");
  original.AddF32("f", 0.25F);
  original.AddBool("b", false);
  original.AddStringArray(
      "a", std::span<const std::string_view>(std::array<std::string_view, 2>{"p", "q"}));
  const auto bytes = original.HeaderBytes();
  ASSERT_TRUE(bytes);
  const auto file = GgufFile::Parse(*bytes, "original");
  ASSERT_TRUE(file) << file.error().message;
  GgufWriter copy;
  for (const MetadataEntry& entry : file->Metadata()) copy.AddCopy(entry);
  EXPECT_EQ(copy.HeaderBytes().value(), *bytes);
}

TEST_F(GgufWriterTest, Unfinished_LeavesNothing) {
  {
    GgufWriter writer;
    writer.AddTensor("w", DataType::kF32, Shape{4});
    ASSERT_TRUE(writer.Begin(Path("half.gguf")));
    EXPECT_EQ(NumFiles(), 1U);
  }
  EXPECT_EQ(NumFiles(), 0U);
}

TEST_F(GgufWriterTest, Mistakes_SurfaceInBegin) {
  const auto message = [&](auto&& prepare) {
    GgufWriter writer;
    prepare(writer);
    const auto begun = writer.Begin(Path("bad.gguf"));
    return begun ? std::string("no error")
                 : begun.error().message.substr(Path("bad.gguf").size() + 8);
  };
  EXPECT_EQ(message([](GgufWriter& w) {
              w.AddU32("k", 1);
              w.AddU32("k", 2);
            }),
            "key 'k' added twice");
  EXPECT_EQ(message([](GgufWriter& w) { w.AddU32("", 1); }), "empty key");
  EXPECT_EQ(message([](GgufWriter& w) {
              w.AddTensor("t", DataType::kQ4_K, Shape{2, 128});
            }),
            "tensor 't': rows of 128 elements are not a multiple of the Q4_K block of 256");
  EXPECT_EQ(message([](GgufWriter& w) {
              w.AddTensor("t", DataType::kF32, Shape{2, 0});
            }),
            "tensor 't': expected rank 1 to 4 without zero extents, found [2, 0]");
  EXPECT_EQ(message([](GgufWriter& w) {
              w.AddTensor("t", DataType::kF32, Shape{1});
              w.AddTensor("t", DataType::kF32, Shape{1});
            }),
            "tensor 't' declared twice");
  EXPECT_EQ(NumFiles(), 0U);
}

// A full disk, as far as the writer can tell: the process may not make files larger than 8 KiB.
TEST_F(GgufWriterTest, FullDisk_IsAnIoErrorAndLeavesNothing) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 8192, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  Result<void> written;
  {
    GgufWriter writer;
    writer.AddTensor("w", DataType::kF32, Shape{1 << 16});
    const std::vector<std::byte> bytes(size_t{4} << 16);
    written = writer.Begin(Path("full.gguf"));
    if (written) written = writer.WriteTensorBytes("w", bytes);
    if (written) written = writer.Finish();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kIo);
  EXPECT_NE(written.error().message.find("cannot write: File too large"), std::string::npos)
      << written.error().message;
  EXPECT_EQ(NumFiles(), 0U);
}

TEST_F(GgufWriterTest, UnwritablePath_IsAnIoError) {
  GgufWriter writer;
  const auto begun = writer.Begin("/nonexistent/x.gguf");
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace headway::gguf
