#include "gguf/gguf_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gguf/bytes_fixture.h"
#include "gguf/ggml_type.h"

namespace headway::gguf {
namespace {

// One entry of every kind and two tensors.
TestBytes SmallFile(uint32_t version = 3) {
  TestBytes file;
  file.Header(version, 2, 16);
  file.Key("general.architecture", ValueType::kString).String("phi3");
  file.Key("u8", ValueType::kU8).Put<uint8_t>(200);
  file.Key("i8", ValueType::kI8).Put<int8_t>(-1);
  file.Key("u16", ValueType::kU16).Put<uint16_t>(60000);
  file.Key("i16", ValueType::kI16).Put<int16_t>(-2);
  file.Key("u32", ValueType::kU32).Put<uint32_t>(200064);
  file.Key("i32", ValueType::kI32).Put<int32_t>(7);
  file.Key("u64", ValueType::kU64).Put<uint64_t>(1ULL << 63);
  file.Key("i64", ValueType::kI64).Put<int64_t>(5000000000);
  file.Key("f32", ValueType::kF32).Put<float>(1e-5F);
  file.Key("f64", ValueType::kF64).Put<double>(0.25);
  file.Key("yes", ValueType::kBool).Put<uint8_t>(1);
  file.Key("tokens", ValueType::kArray)
      .ArrayHeader(ValueType::kString, 3)
      .String("a")
      .String("")
      .String(
          "\xc4\xa0"
          "b");
  file.Key("types", ValueType::kArray).ArrayHeader(ValueType::kI32, 3).Put(1).Put(-3).Put(2);
  file.Key("scores", ValueType::kArray).ArrayHeader(ValueType::kF32, 2).Put(-1.5F).Put(0.5F);
  file.Key("nested", ValueType::kArray)
      .ArrayHeader(ValueType::kArray, 2)
      .ArrayHeader(ValueType::kU8, 2)
      .Put<uint8_t>(1)
      .Put<uint8_t>(2)
      .ArrayHeader(ValueType::kString, 0);
  file.Tensor("w", {4, 2}, 0, 0);
  file.Tensor("q", {32, 1}, 8, 32);
  file.PadTo(32);
  for (int i = 0; i < 8; ++i) file.Put(static_cast<float>(i));
  file.Put<uint16_t>(0x3c00);
  for (int i = 0; i < 32; ++i) file.Put(static_cast<int8_t>(i - 16));
  return file;
}

TEST(GgufFileTest, BothVersions_GiveMetadataOfEveryType) {
  for (const uint32_t version : {2U, 3U}) {
    const TestBytes bytes = SmallFile(version);
    const auto file = GgufFile::Parse(bytes.Bytes(), "model.gguf");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->Version(), version);
    EXPECT_EQ(file->AlignmentBytes(), 32U);
    EXPECT_EQ(file->Metadata().size(), 16U);
    EXPECT_EQ(file->GetString("general.architecture").value(), "phi3");
    EXPECT_EQ(file->GetU32("u8").value(), 200U);
    EXPECT_EQ(file->GetU32("u16").value(), 60000U);
    EXPECT_EQ(file->GetU32("u32").value(), 200064U);
    EXPECT_EQ(file->GetU32("i32").value(), 7U);
    EXPECT_EQ(file->GetF32("f32").value(), 1e-5F);
    EXPECT_EQ(file->GetF32("f64").value(), 0.25F);
    EXPECT_TRUE(file->GetBool("yes").value());
    EXPECT_EQ(file->GetStringArray("tokens").value(), (std::vector<std::string_view>{"a", "",
                                                                                     "\xc4\xa0"
                                                                                     "b"}));
    EXPECT_EQ(file->GetI32Array("types").value(), (std::vector<int32_t>{1, -3, 2}));
    EXPECT_EQ(file->GetF32Array("scores").value(), (std::vector<float>{-1.5F, 0.5F}));
    EXPECT_EQ(file->Find("nested")->count, 2U);
    EXPECT_EQ(file->Find("absent"), nullptr);
  }
}

TEST(GgufFileTest, Tensors_AreViewsWithReversedExtents) {
  const TestBytes bytes = SmallFile();
  const auto file = GgufFile::Parse(bytes.Bytes(), "model.gguf");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->Tensors().size(), 2U);
  const auto w = file->GetTensor("w");
  ASSERT_TRUE(w) << w.error().message;
  EXPECT_EQ(w->shape, (Shape{2, 4}));
  EXPECT_EQ(w->row_stride_bytes, 16);
  EXPECT_EQ(w->name, "w");
  EXPECT_EQ(w->As<float>(DataType::kF32)[5], 5.0F);
  const auto q = file->GetTensor("q");
  ASSERT_TRUE(q) << q.error().message;
  EXPECT_EQ(q->type, DataType::kQ8_0);
  EXPECT_EQ(q->row_stride_bytes, 34);
  EXPECT_EQ(static_cast<int>(q->data[2]), 0xf0);
}

TEST(GgufFileTest, MovedFile_KeepsViewsValid) {
  const TestBytes bytes = SmallFile();
  auto first = GgufFile::Parse(bytes.Bytes(), "model.gguf");
  ASSERT_TRUE(first);
  const std::string_view before = first->GetString("general.architecture").value();
  const GgufFile second = *std::move(first);
  EXPECT_EQ(before.data(), second.GetString("general.architecture").value().data());
}

std::string MessageOf(const auto& result) { return result ? "no error" : result.error().message; }

TEST(GgufFileTest, TypedGetters_SayKeyExpectedAndFound) {
  const TestBytes bytes = SmallFile();
  const auto file = GgufFile::Parse(bytes.Bytes(), "model.gguf");
  ASSERT_TRUE(file);
  EXPECT_EQ(MessageOf(file->GetU32("phi3.block_count")),
            "gguf: model.gguf: key 'phi3.block_count': missing (expected u32)");
  EXPECT_EQ(file->GetU32("phi3.block_count").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(MessageOf(file->GetU32("f32")), "gguf: model.gguf: key 'f32': expected u32, found f32");
  EXPECT_EQ(file->GetU32("f32").error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(MessageOf(file->GetU32("i8")),
            "gguf: model.gguf: key 'i8': expected an integer from 0 to 4294967295, found -1");
  EXPECT_EQ(MessageOf(file->GetU32("u64")),
            "gguf: model.gguf: key 'u64': expected an integer from 0 to 4294967295, found "
            "9223372036854775808");
  EXPECT_EQ(MessageOf(file->GetF32("u32")), "gguf: model.gguf: key 'u32': expected f32, found u32");
  EXPECT_EQ(MessageOf(file->GetBool("u8")), "gguf: model.gguf: key 'u8': expected bool, found u8");
  EXPECT_EQ(MessageOf(file->GetString("tokens")),
            "gguf: model.gguf: key 'tokens': expected string, found array of 3 string");
  EXPECT_EQ(MessageOf(file->GetStringArray("types")),
            "gguf: model.gguf: key 'types': expected array of string, found array of 3 i32");
  EXPECT_EQ(MessageOf(file->GetF32Array("f32")),
            "gguf: model.gguf: key 'f32': expected array of f32, found f32");
  EXPECT_EQ(MessageOf(file->GetI32Array("tokens")),
            "gguf: model.gguf: key 'tokens': expected array of i32, found array of 3 string");
}

TEST(GgufFileTest, Defaults_CoverMissingKeysOnly) {
  const TestBytes bytes = SmallFile();
  const auto file = GgufFile::Parse(bytes.Bytes(), "model.gguf");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->GetU32Or("absent", 9).value(), 9U);
  EXPECT_EQ(file->GetU32Or("u8", 9).value(), 200U);
  EXPECT_FALSE(file->GetU32Or("f32", 9));
  EXPECT_EQ(file->GetF32Or("absent", 2.0F).value(), 2.0F);
  EXPECT_TRUE(file->GetBoolOr("absent", true).value());
  EXPECT_EQ(file->GetStringOr("absent", "default").value(), "default");
  EXPECT_FALSE(file->GetStringOr("u8", "default"));
  EXPECT_TRUE(file->GetStringArrayOr("absent").value().empty());
  EXPECT_TRUE(file->GetF32ArrayOr("absent").value().empty());
  EXPECT_FALSE(file->GetI32ArrayOr("tokens"));
}

TEST(GgufFileTest, GetTensor_MissingOrUnsupported_SaysSo) {
  TestBytes bytes;
  bytes.Header(3, 2, 0)
      .Tensor("blk.3.attn_qkv.weight", {256, 1}, 17, 0)
      .Tensor("odd", {7}, 99, 96)
      .PadTo(32)
      .Zeros(96);
  const auto file = GgufFile::Parse(bytes.Bytes(), "model.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->FindTensor("blk.3.attn_qkv.weight")->size_bytes, 74U);
  EXPECT_EQ(MessageOf(file->GetTensor("blk.3.attn_qkv.weight")),
            "gguf: model.gguf: tensor 'blk.3.attn_qkv.weight': type IQ2_XS unsupported "
            "(supported: F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K Q2_K Q3_K IQ4_NL "
            "IQ4_XS MXFP4)");
  EXPECT_EQ(file->GetTensor("odd").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(file->FindTensor("odd")->TypeName(), "number 99");
  EXPECT_EQ(MessageOf(file->GetTensor("output.weight")),
            "gguf: model.gguf: tensor 'output.weight': missing (2 tensors in the file)");
}

TEST(GgufFileTest, Open_MissingFile_NamesIt) {
  const std::string fifo = testing::TempDir() + "gguf_file_test.fifo";
  ::unlink(fifo.c_str());
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const auto pipe = GgufFile::Open(fifo);  // and does not wait for a writer
  ::unlink(fifo.c_str());
  ASSERT_FALSE(pipe);
  EXPECT_EQ(pipe.error().message, "gguf: " + fifo + ": expected a regular file");
  const auto file = GgufFile::Open("/nonexistent/model.gguf");
  EXPECT_EQ(MessageOf(file),
            "gguf: /nonexistent/model.gguf: cannot open: No such file or directory");
}

TEST(GgmlTypeTest, EveryDataType_HasANumberAndTheSameBlocks) {
  for (int i = 0; i < kNumDataTypes; ++i) {
    const auto type = static_cast<DataType>(i);
    const uint32_t number = GgmlType(type);
    EXPECT_EQ(DataTypeOf(number), type);
    EXPECT_EQ(TypeName(number), Traits(type).name);
    EXPECT_EQ(BlockSizeOf(number)->elements, Traits(type).block_elements);
    EXPECT_EQ(BlockSizeOf(number)->bytes, Traits(type).block_bytes);
  }
}

TEST(ValueTest, ToText_IsOneSafeLine) {
  const TestBytes bytes = SmallFile();
  const auto file = GgufFile::Parse(bytes.Bytes(), "model.gguf");
  ASSERT_TRUE(file);
  EXPECT_EQ(ToText(*file->Find("tokens"), 2), "array of 3 string: ['a', '', …]");
  EXPECT_EQ(ToText(*file->Find("types"), 8), "array of 3 i32: [1, -3, 2]");
  EXPECT_EQ(ToText(*file->Find("u64"), 8), "9223372036854775808");
  EXPECT_EQ(ToText(*file->Find("yes"), 8), "true");
  EXPECT_EQ(ToText(*file->Find("nested"), 8), "array of 2 array");
  EXPECT_EQ(Quoted("a\x1b[0m\n"), "'a\\x1b[0m\\x0a'");
}

// Found by the fuzzer: an unsupported type has no known size, and the file ended before the data
// section began.
TEST(GgufFileTest, TensorOfUnknownTypeBehindTheEnd_IsOutsideTheFile) {
  const std::vector<uint8_t> bytes = {
      0x47, 0x47, 0x55, 0x46, 0x03, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x2f, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x47, 0x47, 0x55, 0x46, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x65, 0x65, 0x00, 0x00, 0x63, 0x00, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x05, 0x65, 0x00, 0xff, 0xff, 0xff, 0x65, 0xff, 0x65, 0xff, 0xff,
      0x00, 0x00, 0x00, 0x00, 0x00, 0xf4, 0xff, 0x00, 0xff, 0x01, 0x00, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x06, 0x47, 0x47, 0x55, 0x46,
      0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00};
  const auto file = GgufFile::Parse(std::as_bytes(std::span<const uint8_t>(bytes)), "short.gguf");
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kCorrupt) << file.error().message;
}

}  // namespace
}  // namespace headway::gguf
