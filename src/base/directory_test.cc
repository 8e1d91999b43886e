#include "base/directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace headway {
namespace {

namespace fs = std::filesystem;

class DirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "headway-directory-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { RemoveTree(root_); }

  std::string At(const std::string& name) const { return root_ + "/" + name; }
  void Write(const std::string& name) const { std::ofstream(At(name)) << name; }

  std::string root_;
};

TEST_F(DirectoryTest, Names_AreSortedAndAllThere) {
  EXPECT_EQ(*NamesIn(root_), std::vector<std::string>());
  fs::create_directory(At("b"));
  for (const char* name : {"c", "a", "b/below", ".hidden", "..."}) Write(name);
  EXPECT_EQ(*NamesIn(root_), (std::vector<std::string>{"...", ".hidden", "a", "b", "c"}));
}

TEST_F(DirectoryTest, NoDirectory_IsAnError) {
  const auto missing = NamesIn(At("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  Write("file");
  const auto file = NamesIn(At("file"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kIo);
  EXPECT_EQ(file.error().message, At("file") + ": cannot read: Not a directory");
}

TEST_F(DirectoryTest, RemovedTree_IsGoneWithoutWhatItsLinksPointAt) {
  Write("kept");
  fs::create_directories(At("tree/of/three"));
  Write("tree/of/three/file");
  fs::create_symlink(At("kept"), At("tree/of/link"));
  fs::create_directory_symlink(root_, At("tree/around"));
  EXPECT_FALSE(RemoveTree(At("tree")));
  EXPECT_EQ(*NamesIn(root_), std::vector<std::string>{"kept"});
  EXPECT_FALSE(RemoveTree(At("kept")));
  EXPECT_FALSE(RemoveTree(At("kept"))) << "nothing there is no error";
  EXPECT_EQ(*NamesIn(root_), std::vector<std::string>());
}

// More directories below each other than are open at once.
TEST_F(DirectoryTest, DeepTree_IsRemoved) {
  std::string path = "tree";
  for (int i = 0; i < 40; ++i) path += "/d";
  fs::create_directories(At(path));
  Write(path + "/file");
  EXPECT_FALSE(RemoveTree(At("tree")));
  EXPECT_EQ(*NamesIn(root_), std::vector<std::string>());
}

TEST_F(DirectoryTest, WhatCannotBeWalked_IsAnError) {
  Write("file");
  EXPECT_EQ(RemoveTree(At("file/below")), std::errc::not_a_directory);
  EXPECT_EQ(*NamesIn(root_), std::vector<std::string>{"file"});
}

TEST_F(DirectoryTest, WhatCannotBeRemoved_IsAnErrorAndTheRestGoes) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may remove everything";
  fs::create_directories(At("tree/closed"));
  Write("tree/closed/file");
  Write("tree/file");
  ::chmod(At("tree/closed").c_str(), 0555);
  EXPECT_EQ(RemoveTree(At("tree")), std::errc::permission_denied);
  EXPECT_EQ(*NamesIn(At("tree")), std::vector<std::string>{"closed"});
  ::chmod(At("tree/closed").c_str(), 0755);
}

}  // namespace
}  // namespace headway
