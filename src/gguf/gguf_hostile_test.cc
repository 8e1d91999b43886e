// Hostile files and the messages they get. tests/fuzz covers what nobody thought of.

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "gguf/bytes_fixture.h"
#include "gguf/gguf_file.h"

namespace headway::gguf {
namespace {

std::string Rejection(const TestBytes& bytes, ErrorCode code = ErrorCode::kCorrupt) {
  const auto file = GgufFile::Parse(bytes.Bytes(), "bad.gguf");
  if (file) return "accepted";
  EXPECT_EQ(static_cast<int>(file.error().code), static_cast<int>(code)) << file.error().message;
  const std::string prefix = "gguf: bad.gguf: ";
  EXPECT_EQ(file.error().message.substr(0, prefix.size()), prefix);
  return file.error().message.substr(prefix.size());
}

TEST(GgufHostileTest, NotAGguf_SaysWhatTheFirstBytesWere) {
  EXPECT_EQ(Rejection(TestBytes().Raw("PK\x03\x04zip"), ErrorCode::kInvalidInput),
            "not a GGUF file: expected the first bytes 'GGUF', found 'PK\\x03\\x04'");
  EXPECT_EQ(Rejection(TestBytes(), ErrorCode::kInvalidInput), "not a GGUF file: it is empty");
  EXPECT_EQ(Rejection(TestBytes().Raw("GG"), ErrorCode::kInvalidInput),
            "not a GGUF file: expected the first bytes 'GGUF', found 'GG'");
}

TEST(GgufHostileTest, OtherVersions_AreNamed) {
  EXPECT_EQ(Rejection(TestBytes().Header(1, 0, 0), ErrorCode::kUnsupported),
            "GGUF version 1 unsupported (supported: 2 and 3)");
  EXPECT_EQ(Rejection(TestBytes().Header(4, 0, 0), ErrorCode::kUnsupported),
            "GGUF version 4 unsupported (supported: 2 and 3)");
  EXPECT_EQ(Rejection(TestBytes().Header(0x03000000, 0, 0), ErrorCode::kUnsupported),
            "big-endian GGUF version 3 unsupported (supported: little-endian 2 and 3)");
}

TEST(GgufHostileTest, TruncatedHeader_SaysWhere) {
  EXPECT_EQ(Rejection(TestBytes().Raw("GGUF").Put<uint16_t>(3)),
            "truncated: version needs 4 bytes at offset 4, but the file ends at 6");
}

TEST(GgufHostileTest, AbsurdCounts_FailBeforeAnythingIsAllocated) {
  EXPECT_EQ(Rejection(TestBytes().Header(3, 1ULL << 63, 0)),
            "9223372036854775808 tensors claimed, but only 0 bytes follow");
  EXPECT_EQ(Rejection(TestBytes().Header(3, 0, ~0ULL)),
            "18446744073709551615 metadata entries claimed, but only 0 bytes follow");
  TestBytes strings;
  strings.Header(3, 0, 1).Key("k", ValueType::kArray).ArrayHeader(ValueType::kString, 1ULL << 60);
  EXPECT_EQ(Rejection(strings),
            "key 'k': truncated: an array of 1152921504606846976 strings, but 0 bytes are left");
  TestBytes doubles;  // 2^61 * 8 wraps to zero
  doubles.Header(3, 0, 1).Key("k", ValueType::kArray).ArrayHeader(ValueType::kF64, 1ULL << 61);
  EXPECT_EQ(Rejection(doubles),
            "key 'k': truncated: an array of 2305843009213693952 f64 values, but 0 bytes are left");
  TestBytes arrays;
  arrays.Header(3, 0, 1).Key("k", ValueType::kArray).ArrayHeader(ValueType::kArray, 1ULL << 60);
  EXPECT_EQ(Rejection(arrays),
            "key 'k': truncated: an array of 1152921504606846976 arrays, but 0 bytes are left");
  TestBytes text;
  text.Header(3, 0, 1).Key("k", ValueType::kString).Put(~0ULL);
  EXPECT_EQ(Rejection(text),
            "key 'k': truncated: string value needs 18446744073709551615 bytes at offset 45, but "
            "the file ends at 45");
}

TEST(GgufHostileTest, DeepArrays_AreRefused) {
  const auto nested = [](int depth) {
    TestBytes bytes;
    bytes.Header(3, 0, 1).Key("k", ValueType::kArray);
    for (int i = 1; i < depth; ++i) bytes.ArrayHeader(ValueType::kArray, 1);
    bytes.ArrayHeader(ValueType::kU8, 1).Put<uint8_t>(1);
    return bytes;
  };
  EXPECT_EQ(Rejection(nested(4)), "accepted");
  EXPECT_EQ(Rejection(nested(5)), "key 'k': arrays nested more than 4 deep");
  EXPECT_EQ(Rejection(nested(100000)), "key 'k': arrays nested more than 4 deep");
}

TEST(GgufHostileTest, BadMetadata_NamesTheKey) {
  TestBytes type;
  type.Header(3, 0, 1).String("k").Put<uint32_t>(13).Put<uint64_t>(0);
  EXPECT_EQ(Rejection(type), "key 'k': unknown value type 13 (expected 0..12)");
  TestBytes boolean;
  boolean.Header(3, 0, 1).Key("k", ValueType::kBool).Put<uint8_t>(2);
  EXPECT_EQ(Rejection(boolean), "key 'k': expected a bool of 0 or 1, found 2");
  TestBytes booleans;
  booleans.Header(3, 0, 1)
      .Key("k", ValueType::kArray)
      .ArrayHeader(ValueType::kBool, 2)
      .Raw("\x01\x07");
  EXPECT_EQ(Rejection(booleans), "key 'k': expected a bool of 0 or 1, found 7");
  TestBytes empty;
  empty.Header(3, 0, 1).Key("", ValueType::kU32).Put<uint32_t>(2);
  EXPECT_EQ(Rejection(empty), "metadata entry 0: empty key");
  TestBytes twice;
  twice.Header(3, 0, 2)
      .Key("k", ValueType::kU8)
      .Put<uint8_t>(2)
      .Key("k", ValueType::kU8)
      .Put<uint8_t>(2);
  EXPECT_EQ(Rejection(twice), "key 'k' occurs twice");
}

TEST(GgufHostileTest, Alignment_IsAPowerOfTwoInRange) {
  const auto with_alignment = [](uint32_t alignment) {
    TestBytes bytes;
    bytes.Header(3, 0, 1).Key("general.alignment", ValueType::kU32).Put(alignment);
    return Rejection(bytes);
  };
  EXPECT_EQ(with_alignment(64), "accepted");
  for (const uint32_t alignment : {0U, 1U, 4U, 48U, 1U << 21, 1U << 31}) {
    EXPECT_EQ(with_alignment(alignment),
              "key 'general.alignment': expected a power of two from 8 to 1048576, found " +
                  std::to_string(alignment));
  }
  TestBytes type;
  type.Header(3, 0, 1).Key("general.alignment", ValueType::kString).String("32");
  EXPECT_EQ(Rejection(type), "key 'general.alignment': expected u32, found string");
}

std::string TensorRejection(const std::function<void(TestBytes&)>& tensors,
                            uint64_t num_tensors = 1) {
  TestBytes bytes;
  bytes.Header(3, num_tensors, 0);
  tensors(bytes);
  return Rejection(bytes.PadTo(32).Zeros(64));
}

TEST(GgufHostileTest, BadShapes_NameTheTensor) {
  EXPECT_EQ(TensorRejection([](TestBytes& b) {
              b.Tensor("t", {1, 1, 1, 1, 1}, 0, 0);
            }),
            "tensor 't': expected rank 1 to 4, found 5");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("t", {}, 0, 0); }),
            "tensor 't': expected rank 1 to 4, found 0");
  EXPECT_EQ(TensorRejection([](TestBytes& b) {
              b.Tensor("t", {4, 0}, 0, 0);
            }),
            "tensor 't': extent 1 is zero");
  EXPECT_EQ(TensorRejection([](TestBytes& b) {
              b.Tensor("t", {1ULL << 32, 1ULL << 32}, 0, 0);
            }),
            "tensor 't': the number of elements overflows 63 bits");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("t", {1ULL << 63}, 0, 0); }),
            "tensor 't': the number of elements overflows 63 bits");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("t", {1ULL << 62}, 0, 0); }),
            "tensor 't': the number of bytes overflows 63 bits");
  EXPECT_EQ(TensorRejection([](TestBytes& b) {
              b.Tensor("t", {100, 2}, 12, 0);
            }),
            "tensor 't': rows of 100 elements are not a multiple of the Q4_K block of 256");
}

TEST(GgufHostileTest, BadNames_AreRefused) {
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("", {4}, 0, 0); }),
            "tensor 0: expected a name of 1 to 127 bytes, found 0 bytes");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor(std::string(200, 'x'), {4}, 0, 0); }),
            "tensor 0: expected a name of 1 to 127 bytes, found 200 bytes");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("a\nb", {4}, 0, 1); }),
            "tensor 'a\\x0ab': offset 1 is not a multiple of the alignment 32");
  EXPECT_EQ(
      TensorRejection([](TestBytes& b) { b.Tensor("t", {4}, 0, 0).Tensor("t", {4}, 0, 32); }, 2),
      "tensor 't' occurs twice");
}

TEST(GgufHostileTest, MisplacedTensors_AreRefused) {
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("t", {4}, 0, 8); }),
            "tensor 't': offset 8 is not a multiple of the alignment 32");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("t", {17}, 0, 0); }),
            "tensor 't': 68 bytes at data offset 0 lie outside the file (64 bytes of data)");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("t", {4}, 0, 96); }),
            "tensor 't': 16 bytes at data offset 96 lie outside the file (64 bytes of data)");
  EXPECT_EQ(TensorRejection([](TestBytes& b) { b.Tensor("t", {4}, 0, ~31ULL); }),
            "tensor 't': 16 bytes at data offset 18446744073709551584 lie outside the file (64 "
            "bytes of data)");
  EXPECT_EQ(
      TensorRejection([](TestBytes& b) { b.Tensor("t", {16}, 0, 0).Tensor("u", {4}, 0, 32); }, 2),
      "tensors 't' and 'u' overlap");
  EXPECT_EQ(
      TensorRejection([](TestBytes& b) { b.Tensor("t", {4}, 0, 32).Tensor("u", {4}, 0, 32); }, 2),
      "tensors 't' and 'u' overlap");
  // The header ends before its own padding: there is no data at all.
  TestBytes no_data;
  no_data.Header(3, 1, 0).Tensor("t", {4}, 0, 0);
  EXPECT_EQ(Rejection(no_data),
            "tensor 't': 16 bytes at data offset 0 lie outside the file (0 bytes of data)");
}

}  // namespace
}  // namespace headway::gguf
