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

TEST_F(FileTreeTest, WhatIsMissingOrALink_IsAnError) {
  EXPECT_EQ(DigestTree(path_ + "/none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(TreeBytes(path_ + "/none").error().code, ErrorCode::kNotFound);
  fs::create_symlink(path_ + "/a", path_ + "/b/link");
  EXPECT_EQ(DigestTree(path_).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace headway
