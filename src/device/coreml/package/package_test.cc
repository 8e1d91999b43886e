#include "device/coreml/package/package.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "device/coreml/ir/builder.h"
#include "device/coreml/ir/printer.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/package/proto/model_proto.h"

namespace headway::mil {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

// A model with a blob, a state, strings, ints, bools and a flexible axis: every kind of message the
// format has.
Model TestModel(BlobSink* blobs) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF16, {1, 2, kUnknownDim, 1});
  const std::string state = f.State("k", DType::kF16, {1, 2, 3});
  const std::vector<std::byte> codes(4, std::byte{3});
  const auto blob = blobs->Append(DType::kI8, 4, codes);
  EXPECT_TRUE(blob.has_value());
  const std::vector<double> scales = {0.5, 0.25};
  const std::string weight =
      f.Constexpr("constexpr_blockwise_shift_scale", "w",
                  {{"data", {BlobConstant(DType::kI8, {2, 2, 1, 1}, *blob)}},
                   {"scale", {NumbersConstant(DType::kF16, {2, 1, 1, 1}, scales)}}});
  const std::string y = f.Op(
      "conv", "y", {{"x", {x}}, {"weight", {weight}}, {"pad_type", {StringConstant("valid")}}});
  const std::string old = f.Op("read_state", "old", {{"input", {state}}});
  const std::string sum = f.Op("add", "sum", {{"x", {old}}, {"y", {HalfConstant(1.0F)}}});
  f.Op("write_state", "sum_write_state", {{"input", {state}}, {"data", {sum}}});
  f.Output(y);
  auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  auto model = MakeModel(*std::move(function), {1, 4});
  EXPECT_TRUE(model.has_value()) << model.error().message;
  model->metadata.user_defined = {{"z", "1"}, {"a", "2"}, {"m", "3"}};
  return *std::move(model);
}

class PackageTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = (fs::path(testing::TempDir()) /
                  ("headway_package_" + std::to_string(::getpid()) + "_" +
                   testing::UnitTest::GetInstance()->current_test_info()->name()))
                     .string();
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string Write(const std::string& name) {
    const std::string path = directory_ + "/" + name;
    auto writer = PackageWriter::Create(path, true);
    EXPECT_TRUE(writer.has_value()) << writer.error().message;
    const Model model = TestModel(&writer->Weights());
    const auto finished = writer->Finish(model);
    EXPECT_TRUE(finished.has_value()) << finished.error().message;
    return path;
  }
  std::string directory_;
};

TEST_F(PackageTest, WriteRead_SameProgram) {
  const auto package = ReadPackage(Write("a.mlpackage"));
  ASSERT_TRUE(package.has_value()) << package.error().message;
  MemoryBlobs blobs;
  const Model expected = TestModel(&blobs);
  EXPECT_EQ(PrintModel(package->model), PrintModel(expected));
  EXPECT_EQ(package->model.metadata.user_defined, expected.metadata.user_defined);
  EXPECT_EQ(package->manifest.items.size(), 2U);
  EXPECT_EQ(package->weights.Files().size(), 1U);
}

TEST_F(PackageTest, SameInput_SameBytes) {
  const std::string a = Write("a.mlpackage");
  const std::string b = Write("b.mlpackage");
  for (const char* file : {"/Manifest.json", "/Data/com.apple.CoreML/model.mlmodel",
                           "/Data/com.apple.CoreML/weights/weight.bin"}) {
    EXPECT_EQ(*FileDigestHex(a + file), *FileDigestHex(b + file)) << file;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 2);
}

TEST_F(PackageTest, EncodeDecodeEncode_SameBytes) {
  MemoryBlobs blobs;
  const std::string first = *EncodeModel(TestModel(&blobs));
  const auto model = DecodeModel(AsBytes(first));
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(*EncodeModel(*model), first);
}

TEST_F(PackageTest, UnfinishedWriter_LeavesNothing) {
  { auto writer = PackageWriter::Create(directory_ + "/x.mlpackage", false); }
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(PackageTest, MissingItem_IsNamed) {
  const std::string path = Write("a.mlpackage");
  fs::remove_all(path + "/Data/com.apple.CoreML/weights");
  const auto package = ReadPackage(path);
  ASSERT_FALSE(package.has_value());
  EXPECT_NE(package.error().message.find("expected Data/com.apple.CoreML/weights, found nothing"),
            std::string::npos)
      << package.error().message;
}

TEST_F(PackageTest, BlobOutsideTheFile_IsNamed) {
  MemoryBlobs blobs;
  Model model = TestModel(&blobs);
  for (Operation& op : model.program.functions["main"].Body()->operations) {
    if (op.type == "constexpr_blockwise_shift_scale") {
      std::get<Constant>(op.inputs["data"][0]).value =
          BlobRef{"@model_path/weights/weight.bin", 1U << 30};
    }
  }
  auto writer = PackageWriter::Create(directory_ + "/a.mlpackage", false);
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE(writer->Weights().Append(DType::kI8, 1, std::vector<std::byte>(1)).has_value());
  const auto finished = writer->Finish(model);
  ASSERT_FALSE(finished.has_value());
  EXPECT_NE(finished.error().message.find("expected a blob at offset 1073741824"),
            std::string::npos)
      << finished.error().message;
}

TEST_F(PackageTest, EveryTruncationOfTheModel_IsSafe) {
  MemoryBlobs blobs;
  const std::string good = *EncodeModel(TestModel(&blobs));
  for (size_t length = 0; length < good.size(); ++length) {
    const std::string cut = good.substr(0, length);
    const auto model = DecodeModel(AsBytes(cut));
    EXPECT_FALSE(model && VerifyModel(*model, &blobs)) << length;
  }
}

TEST_F(PackageTest, BitFlipsOfTheModel_AreSafe) {
  MemoryBlobs blobs;
  const std::string good = *EncodeModel(TestModel(&blobs));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    const auto model = DecodeModel(AsBytes(bytes));
    if (!model) continue;
    EXPECT_FALSE(PrintModel(*model).empty());
    if (!VerifyModel(*model, &blobs)) continue;
    // What verifies can be written again.
    EXPECT_TRUE(DecodeModel(AsBytes(*EncodeModel(*model))).has_value());
  }
}

// Hand-written protobuf bytes: a tensor type with the extents given, inside the smallest model.
std::string Varint(uint64_t value) {
  std::string text;
  while (value >= 0x80) {
    text += static_cast<char>((value & 0x7f) | 0x80);
    value >>= 7;
  }
  return text + static_cast<char>(value);
}
std::string Bytes(unsigned field, const std::string& content) {
  return Varint((field << 3) | 2) + Varint(content.size()) + content;
}
std::string Number(unsigned field, uint64_t value) { return Varint(field << 3) + Varint(value); }

std::string ModelWithInput(uint64_t rank, const std::vector<uint64_t>& extents) {
  std::string tensor = Number(1, 10) + Number(2, rank);
  for (const uint64_t extent : extents) tensor += Bytes(3, Bytes(1, Number(1, extent)));
  const std::string input = Bytes(1, "x") + Bytes(2, Bytes(1, tensor));
  const std::string function = Bytes(1, input) + Bytes(2, "CoreML8") +
                               Bytes(3, Bytes(1, "CoreML8") + Bytes(2, Bytes(2, "x")));
  const std::string program = Number(1, 1) + Bytes(2, Bytes(1, "main") + Bytes(2, function));
  return Number(1, 9) + Bytes(2, "") + Bytes(502, program);
}

std::string DecodeError(const std::string& bytes) {
  const auto model = DecodeModel(AsBytes(bytes));
  return model ? std::string() : model.error().message;
}

TEST(DecodeModel, HandWrittenBytes_Parse) {
  const auto model = DecodeModel(AsBytes(ModelWithInput(2, {3, 4})));
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(ToString(model->program.functions.at("main").inputs[0].type), "fp16[3, 4]");
}

TEST(DecodeModel, HostileTypes_AreRejected) {
  EXPECT_NE(DecodeError(ModelWithInput(1, {uint64_t{1} << 63})).find("expected extents below 2^63"),
            std::string::npos);
  EXPECT_NE(
      DecodeError(ModelWithInput(3, {1U << 31, 1U << 31, 1U << 31})).find("at most 2^56 elements"),
      std::string::npos);
  EXPECT_NE(DecodeError(ModelWithInput(1U << 31, {1}))
                .find("expected 2147483648 dimensions as the rank says, found 1"),
            std::string::npos);
  EXPECT_NE(DecodeError(ModelWithInput(500, std::vector<uint64_t>(500, 1)))
                .find("rank of at most 8, found 500"),
            std::string::npos);
  EXPECT_NE(DecodeError("not a protobuf").find("truncated or damaged"), std::string::npos);
  EXPECT_NE(DecodeError(Number(1, 9)).find("expected an ML Program"), std::string::npos);
}

}  // namespace
}  // namespace headway::mil
