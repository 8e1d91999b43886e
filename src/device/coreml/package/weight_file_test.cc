#include "device/coreml/package/weight_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/file_writer.h"
#include "device/coreml/ir/packing.h"
#include "device/coreml/package/type_numbers.h"

namespace headway::mil {
namespace {

namespace fs = std::filesystem;

class WeightFileTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (fs::path(testing::TempDir()) /
             ("headway_weight_" + std::to_string(::getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name()))
                .string();
  }
  void TearDown() override { fs::remove(path_); }

  // Two blobs: five int4 values and three fp16 values. Returns the file's bytes.
  std::vector<std::byte> TwoBlobs() {
    auto writer = WeightFileWriter::Create(path_, "@model_path/weights/weight.bin");
    EXPECT_TRUE(writer.has_value());
    const std::vector<uint8_t> nibbles = {1, 254, 3, 248, 7};
    const auto packed = PackBits(DType::kI4, nibbles);
    first_ = *(*writer)->Append(DType::kI4, 5, packed);
    const std::vector<std::byte> halves = {std::byte{0},    std::byte{0x3c}, std::byte{0},
                                           std::byte{0x40}, std::byte{1},    std::byte{0}};
    second_ = *(*writer)->Append(DType::kF16, 3, halves);
    EXPECT_TRUE((*writer)->Close().has_value());
    const std::string text = *ReadTextFile(path_, 1 << 20);
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
  }

  std::string path_;
  BlobRef first_, second_;
};

template <class T>
void Poke(std::vector<std::byte>* bytes, size_t offset, T value) {
  std::memcpy(bytes->data() + offset, &value, sizeof value);
}

void ExpectCorrupt(const std::vector<std::byte>& bytes, const std::string& part) {
  const auto file = WeightFile::FromBytes(bytes, "weight.bin");
  ASSERT_FALSE(file.has_value()) << "expected an error with: " << part;
  EXPECT_NE(file.error().message.find(part), std::string::npos) << file.error().message;
}

TEST_F(WeightFileTest, Writer_LaysOutAsDocumented) {
  const auto bytes = TwoBlobs();
  EXPECT_EQ(first_, (BlobRef{"@model_path/weights/weight.bin", 64}));
  EXPECT_EQ(second_.offset, 192U);
  ASSERT_EQ(bytes.size(), 192U + 64U + 6U);  // no gap after the last blob
  WeightFileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  EXPECT_EQ(header.num_blobs, 2U);
  EXPECT_EQ(header.version, 2U);
  BlobDescription description;
  std::memcpy(&description, bytes.data() + 64, sizeof description);
  EXPECT_EQ(bytes[64], std::byte{0xEF});
  EXPECT_EQ(bytes[67], std::byte{0xDE});
  EXPECT_EQ(description.dtype, 8U);
  EXPECT_EQ(description.size_bytes, 3U);
  EXPECT_EQ(description.data_offset, 128U);
  EXPECT_EQ(description.padding_in_bits, 4U);
  EXPECT_EQ(bytes[128], std::byte{0xe1});
  EXPECT_EQ(bytes[129], std::byte{0x83});
  EXPECT_EQ(bytes[130], std::byte{0x07});
  EXPECT_EQ(bytes[131], std::byte{0});
}

TEST_F(WeightFileTest, Reader_FindsBlobs_AndChecksTypeAndCount) {
  const auto bytes = TwoBlobs();
  const auto file = WeightFile::Open(path_);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->Blobs().size(), 2U);
  EXPECT_EQ(file->Read(first_, DType::kI4, 5)->size(), 3U);
  EXPECT_EQ(file->Read(second_, DType::kF16, 3)->size(), 6U);
  EXPECT_NE(file->Read(first_, DType::kI4, 6)
                .error()
                .message.find("expected 6 elements of int4, found 5 of int4"),
            std::string::npos);
  EXPECT_FALSE(file->Read(first_, DType::kU4, 5).has_value());
  EXPECT_NE(
      file->Read({"", 128}, DType::kI4, 5).error().message.find("found none that begins there"),
      std::string::npos);
}

TEST_F(WeightFileTest, Writer_SizesMustBeAsAnnounced) {
  auto writer = WeightFileWriter::Create(path_, "w");
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE((*writer)->Begin(DType::kI8, 4).has_value());
  const std::vector<std::byte> five(5);
  EXPECT_FALSE((*writer)->Write(five).has_value());
  ASSERT_TRUE((*writer)->Write(std::span(five).first(3)).has_value());
  EXPECT_FALSE((*writer)->End().has_value());
  EXPECT_FALSE((*writer)->Begin(DType::kBool, 4).has_value());
}

TEST_F(WeightFileTest, HostileFiles_AreRejectedWithThePlace) {
  const auto good = TwoBlobs();
  auto bytes = good;
  Poke<uint32_t>(&bytes, 4, 1);
  ExpectCorrupt(bytes, "expected version 2, found 1");
  bytes = good;
  Poke<uint32_t>(&bytes, 64, 0xDEADBEEE);
  ExpectCorrupt(bytes, "blob at offset 64: expected sentinel 0xdeadbeef, found 0xdeadbeee");
  bytes = good;
  Poke<uint32_t>(&bytes, 68, 99);
  ExpectCorrupt(bytes, "type number of 1 to 17, found 99");
  bytes = good;
  Poke<uint64_t>(&bytes, 72, ~uint64_t{0});
  ExpectCorrupt(bytes, "expected data inside the file of 262 bytes");
  bytes = good;
  Poke<uint64_t>(&bytes, 80, ~uint64_t{0} - 1);
  ExpectCorrupt(bytes, "expected data inside the file");
  bytes = good;
  Poke<uint64_t>(&bytes, 80, 64);
  ExpectCorrupt(bytes, "overlaps its description");
  bytes = good;
  Poke<uint64_t>(&bytes, 88, 9);
  ExpectCorrupt(bytes, "9 bits of padding");
  bytes = good;
  Poke<uint32_t>(&bytes, 0, 3);
  ExpectCorrupt(bytes, "expected 3 blobs, found the end of the file after 2");
  bytes.resize(40);
  ExpectCorrupt(bytes, "expected a header of 64 bytes, found 40");
  // The first blob grows over the description of the second: the walk then finds no sentinel.
  bytes = good;
  Poke<uint64_t>(&bytes, 72, 70);
  ExpectCorrupt(bytes, "blobs, found the end of the file after 1");
}

TEST_F(WeightFileTest, ReservedNoise_IsIgnored) {
  auto bytes = TwoBlobs();
  Poke<uint64_t>(&bytes, 64 + 40, 0x1234567812345678U);
  EXPECT_TRUE(WeightFile::FromBytes(bytes, "weight.bin").has_value());
}

TEST_F(WeightFileTest, EveryTruncationAndBitFlip_IsSafe) {
  const auto good = TwoBlobs();
  for (size_t length = 0; length < good.size(); ++length) {
    const std::vector<std::byte> cut(good.begin(),
                                     good.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(WeightFile::FromBytes(cut, "w").has_value()) << length;
  }
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bytes = good;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const auto file = WeightFile::FromBytes(bytes, "w");
    if (!file) continue;
    for (const auto& [offset, blob] : file->Blobs()) {
      EXPECT_TRUE(file->Read({"", offset}, blob.dtype, blob.num_elements).has_value());
    }
  }
}

TEST(TypeNumbers, RoundTrip) {
  for (int i = 0; i < kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(DTypeFromMilNumber(MilNumber(dtype)), dtype);
    const auto blob = BlobNumber(dtype);
    EXPECT_TRUE(!blob || DTypeFromBlobNumber(*blob) == dtype);
    const auto feature = FeatureNumber(dtype);
    EXPECT_TRUE(!feature || DTypeFromFeatureNumber(*feature) == dtype);
  }
  EXPECT_FALSE(DTypeFromMilNumber(0).has_value());
  EXPECT_FALSE(DTypeFromBlobNumber(0).has_value());
}

}  // namespace
}  // namespace headway::mil
