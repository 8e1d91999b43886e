#include "base/file_tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/digest.h"

namespace headway {
namespace {

namespace fs = std::filesystem;

class FileTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (fs::temp_directory_path() / ("headway-tree-" + std::to_string(getpid()))).string();
    fs::create_directories(path_ + "/b/c");
    Write("b/c/two", "22");
    Write("a", "1");
  }
  void TearDown() override { fs::remove_all(path_); }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
  }
  std::string path_;
};

TEST_F(FileTreeTest, File_HasItsOwnDigest) {
  const auto tree = DigestTree(path_ + "/a");
  ASSERT_TRUE(tree.has_value());
  EXPECT_EQ(tree->bytes, 1U);
  EXPECT_EQ(tree->digest, *FileDigestHex(path_ + "/a"));
}

TEST_F(FileTreeTest, Directory_DependsOnNamesAndContents) {
  const TreeDigest before = *DigestTree(path_);
  EXPECT_EQ(before.bytes, 3U);
  EXPECT_EQ(*TreeBytes(path_), 3U);
  EXPECT_EQ(*DigestTree(path_), before);
  Write("b/c/two", "23");
  EXPECT_NE(*DigestTree(path_), before);
  Write("b/c/two", "22");
  EXPECT_EQ(*DigestTree(path_), before);
  fs::rename(path_ + "/a", path_ + "/b/a");
  EXPECT_NE(*DigestTree(path_), before);
}

TEST_F(FileTreeTest, Damage_IsFoundInItsBlock) {
  const std::string large(2 * kDigestBlockBytes + 5, 'x');
  Write("b/large", large);
  const std::atomic<bool> stop{false};
  const TreeDigest file = *DigestTree(path_ + "/b/large");
  const TreeDigest tree = *DigestTree(path_);
  EXPECT_EQ(file.blocks.size(), 3 * kBlockDigestDigits);
  EXPECT_EQ(tree.blocks.size(), 5 * kBlockDigestDigits);
  EXPECT_TRUE(CheckTree(path_ + "/b/large", file, stop));
  EXPECT_TRUE(CheckTree(path_, tree, stop));
  BlockDigests pieces;  // cut anywhere
  const auto bytes = std::as_bytes(std::span<const char>(large));
  pieces.Update(bytes.first(7));
  pieces.Update(bytes.subspan(7, kDigestBlockBytes));
  pieces.Update(bytes.subspan(kDigestBlockBytes + 7));
  EXPECT_EQ(pieces.Hex(), file.blocks);
  for (const size_t at : {size_t{0}, kDigestBlockBytes, large.size() - 1}) {
    std::string damaged = large;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    Write("b/large", damaged);
    const std::string where = "large: block " + std::to_string(at / kDigestBlockBytes) + " (bytes ";
    for (const auto& found :
         {CheckTree(path_ + "/b/large", file, stop), CheckTree(path_, tree, stop)}) {
      ASSERT_FALSE(found);
      EXPECT_NE(found.error().message.find(where), std::string::npos) << found.error().message;
    }
  }
  Write("b/large", large.substr(0, kDigestBlockBytes));
  EXPECT_FALSE(CheckTree(path_ + "/b/large", file, stop));
  Write("b/large", large + std::string(kDigestBlockBytes, 'x'));
  EXPECT_FALSE(CheckTree(path_ + "/b/large", file, stop));
}

TEST_F(FileTreeTest, WithoutDigestsOfBlocks_TheWholeIsCompared) {
  const std::atomic<bool> stop{false};
  TreeDigest tree = *DigestTree(path_);
  tree.blocks.clear();
  EXPECT_TRUE(CheckTree(path_, tree, stop));
  Write("a", "2");
  EXPECT_FALSE(CheckTree(path_, tree, stop));
}

TEST_F(FileTreeTest, WhatIsMissingOrALink_IsAnError) {
  EXPECT_EQ(DigestTree(path_ + "/none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(TreeBytes(path_ + "/none").error().code, ErrorCode::kNotFound);
  fs::create_symlink(path_ + "/a", path_ + "/b/link");
  EXPECT_EQ(DigestTree(path_).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace headway
