#include "base/file_writer.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace headway {
namespace {

namespace fs = std::filesystem;

class FileWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 ("headway_file_writer_" +
                  std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "_" +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }
  std::string Path(const std::string& name) const { return (directory_ / name).string(); }
  fs::path directory_;
};

TEST_F(FileWriterTest, Write_PadTo_FillsWithZerosAndDigests) {
  auto writer = FileWriter::Create(Path("a"));
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE(writer->Write("abc").has_value());
  ASSERT_TRUE(writer->PadTo(64).has_value());
  EXPECT_EQ(writer->SizeBytes(), 64U);
  const std::string digest = writer->DigestHex();
  ASSERT_TRUE(writer->Close().has_value());
  EXPECT_EQ(*ReadTextFile(Path("a"), 1000), "abc" + std::string(61, '\0'));
  EXPECT_EQ(*FileDigestHex(Path("a")), digest);
}

TEST_F(FileWriterTest, Write_DiskFull_SaysSo) {
  auto writer = FileWriter::Create("/dev/full");
  ASSERT_TRUE(writer.has_value());
  Result<void> result = writer->Write(std::string(1 << 20, 'x'));
  if (result) result = writer->Close();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kIo);
  EXPECT_NE(result.error().message.find("No space left"), std::string::npos)
      << result.error().message;
}

TEST_F(FileWriterTest, AtomicDirectory_NotCommitted_LeavesNothing) {
  {
    auto directory = AtomicDirectory::Create(Path("package"), false);
    ASSERT_TRUE(directory.has_value());
    ASSERT_TRUE(WriteTextFileAtomically(directory->Path() + "/file", "x").has_value());
  }
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(FileWriterTest, AtomicDirectory_Commit_ReplacesOnlyWhenAsked) {
  for (const bool replace : {false, true}) {
    auto directory = AtomicDirectory::Create(Path("package"), replace);
    ASSERT_TRUE(directory.has_value());
    ASSERT_TRUE(
        WriteTextFileAtomically(directory->Path() + "/file", replace ? "new" : "old").has_value());
    ASSERT_TRUE(directory->Commit().has_value());
  }
  EXPECT_EQ(*ReadTextFile(Path("package") + "/file", 10), "new");
  EXPECT_FALSE(AtomicDirectory::Create(Path("package"), false).has_value());
}

// Somebody's directory that appears while this one is written stays as it is.
TEST_F(FileWriterTest, AtomicDirectory_TargetAppearsMeanwhile_Stays) {
  auto directory = AtomicDirectory::Create(Path("package"), false);
  ASSERT_TRUE(directory.has_value());
  ASSERT_TRUE(WriteTextFileAtomically(directory->Path() + "/file", "ours").has_value());
  fs::create_directories(Path("package"));
  ASSERT_TRUE(WriteTextFileAtomically(Path("package") + "/file", "theirs").has_value());
  const auto committed = directory->Commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_EQ(committed.error().code, ErrorCode::kInvalidInput);
  EXPECT_NE(committed.error().message.find("exists already"), std::string::npos);
  EXPECT_EQ(*ReadTextFile(Path("package") + "/file", 10), "theirs");
}

TEST_F(FileWriterTest, AtomicDirectory_IsAbandoned_WhenItsProcessIsGone) {
  const auto directory = AtomicDirectory::Create(Path("package"), false);
  ASSERT_TRUE(directory.has_value());
  EXPECT_FALSE(AtomicDirectory::IsAbandoned(directory->Path()));
  EXPECT_TRUE(AtomicDirectory::IsAbandoned(Path("package.partial-999999999")));
  EXPECT_FALSE(AtomicDirectory::IsAbandoned(Path("package")));
}

}  // namespace
}  // namespace headway
