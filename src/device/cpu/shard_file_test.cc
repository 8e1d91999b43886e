#include "device/cpu/shard_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "base/file_writer.h"
#include "graph/text.h"

namespace headway::cpu {
namespace {

constexpr const char* kGraph = "input x 64\ny 16 = linear @0 x w\noutput y\n";

std::string Weight(const std::string& name, const std::string& shape) {
  return "weight " + name + " F32 " + shape + " 0\n";
}

// A shard file with the header that `text` and `data_bytes` make.
std::string File(const std::string& text, uint64_t data_bytes) {
  const ShardHeader header = MakeShardHeader(text.size(), data_bytes);
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += text;
  bytes.resize(header.data_offset + data_bytes, '\0');
  return bytes;
}

class ShardFileTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  Result<ShardFile> Open(const std::string& bytes) const {
    EXPECT_TRUE(WriteTextFileAtomically(path_, bytes));
    return ShardFile::Open(path_);
  }
  const std::string path_ = testing::TempDir() + "/headway_shard_file_test.shard";
};

TEST_F(ShardFileTest, WeightsLieInsideTheFile) {
  const std::string text = Weight("w", "16 64") + Weight("unused", "- 64") + kGraph;
  const auto graph = graph::Parse(text);
  ASSERT_TRUE(graph) << graph.error().message;
  const auto stored = LayOut(*graph);
  ASSERT_TRUE(stored);
  const auto file = Open(File(text, stored->total_bytes));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->WeightData(1), file->data + file->stored.weights[1].offset_bytes);
  EXPECT_FALSE(Open(File(text, stored->total_bytes + 1)));
}

// Weights that nothing reads, of 2^63 bytes each, so that offsets would come round to a matrix in
// front of the file with the header's sum right.
TEST_F(ShardFileTest, SizesThatWrap_AreRefused) {
  const std::string most = "2147483648";
  std::string text;
  for (const char* name : {"a", "b", "c", "d"}) text += Weight(name, most + " 1073741824");
  EXPECT_FALSE(Open(File(text + Weight("w", "16 64") + kGraph, 4096)));
  // Each fits, together they do not.
  text.clear();
  for (const char* name : {"a", "b", "c"}) text += Weight(name, most + " 536870912");
  const auto together = Open(File(text + Weight("w", "16 64") + kGraph, 4096));
  ASSERT_FALSE(together);
  EXPECT_NE(together.error().message.find("less than 2^63 bytes"), std::string::npos)
      << together.error().message;
  text.clear();
  for (const char* name : {"a", "b"}) text += Weight(name, most + " " + most);
  const auto refused = Open(File(text + Weight("w", "16 64") + kGraph, 4096));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.rfind(path_ + ": ", 0), 0U) << refused.error().message;
}

}  // namespace
}  // namespace headway::cpu
