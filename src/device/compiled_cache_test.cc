#include "device/compiled_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace headway {
namespace {

namespace fs = std::filesystem;

class CompiledCacheTest : public testing::Test {
 protected:
  CompiledCacheTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    ::setenv("HEADWAY_CACHE", (folder_ / "cache").c_str(), 1);
    for (const char* name : {"a", "b"}) std::ofstream(folder_ / name) << name;
  }
  ~CompiledCacheTest() override {
    ::unsetenv("HEADWAY_CACHE");
    fs::remove_all(folder_);
  }
  // What a system has compiled from a program.
  std::string Compiled(const std::string& text) const {
    const fs::path path = folder_ / "made";
    fs::create_directories(path);
    std::ofstream(path / "text") << text;
    return path.string();
  }
  std::string Source(const std::string& name) const { return (folder_ / name).string(); }
  static std::string TextOf(const std::string& program) {
    std::string text;
    std::ifstream(program + "/text") >> text;
    return text;
  }
  int Entries() const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / "cache" / kCompiledFolder))
      count += SourceOfCompiled(entry.path().string()).empty() ? 0 : 1;
    return count;
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("headway-compiled-" + std::to_string(::getpid()));
};

TEST_F(CompiledCacheTest, Kept_IsFoundByProgramAndKey) {
  const auto cache = CompiledCache::Open();
  ASSERT_TRUE(cache.has_value()) << cache.error().message;
  EXPECT_EQ(*cache->Find(Source("a"), "1"), "");
  const auto kept = cache->Keep(Source("a"), "1", Compiled("first"));
  ASSERT_TRUE(kept.has_value()) << kept.error().message;
  EXPECT_EQ(*cache->Find(Source("a"), "1"), *kept);
  EXPECT_EQ(TextOf(*kept), "first");
  EXPECT_EQ(SourceOfCompiled(fs::path(*kept).parent_path().string()), Source("a"));
  EXPECT_EQ(*cache->Find(Source("b"), "1"), "");
  EXPECT_EQ(*cache->Find(Source("a"), "2"), "");
  // Another process was first: its program stays.
  EXPECT_EQ(*cache->Keep(Source("a"), "1", Compiled("second")), *kept);
  EXPECT_EQ(TextOf(*kept), "first");
}

TEST_F(CompiledCacheTest, EarlierEntriesAndThoseOfMissingPrograms_Go) {
  const auto cache = CompiledCache::Open();
  ASSERT_TRUE(cache.has_value());
  ASSERT_TRUE(cache->Keep(Source("a"), "1", Compiled("a1")).has_value());
  ASSERT_TRUE(cache->Keep(Source("b"), "1", Compiled("b1")).has_value());
  EXPECT_EQ(Entries(), 2);
  const fs::path other = folder_ / "cache" / kCompiledFolder / "not ours";
  fs::create_directories(other);
  ASSERT_TRUE(cache->Keep(Source("a"), "2", Compiled("a2")).has_value());
  EXPECT_EQ(Entries(), 2);
  EXPECT_EQ(*cache->Find(Source("a"), "1"), "");
  EXPECT_NE(*cache->Find(Source("b"), "1"), "");
  fs::remove(Source("b"));
  ASSERT_TRUE(cache->Keep(Source("a"), "3", Compiled("a3")).has_value());
  EXPECT_EQ(Entries(), 1);
  EXPECT_EQ(*cache->Find(Source("b"), "1"), "");
  EXPECT_TRUE(fs::exists(other));
}

TEST_F(CompiledCacheTest, OfOthers_IsNotUsed) {
  const auto cache = CompiledCache::Open();
  ASSERT_TRUE(cache.has_value());
  const std::string kept = *cache->Keep(Source("a"), "1", Compiled("a1"));
  const fs::path entry = fs::path(kept).parent_path();
  fs::permissions(entry, fs::perms::all);
  EXPECT_EQ(cache->Find(Source("a"), "1").error().code, ErrorCode::kInvalidInput);
  fs::permissions(entry, fs::perms::owner_all);
  for (const fs::path& open : {entry.parent_path(), folder_ / "cache"}) {
    fs::permissions(open, fs::perms::all);
    EXPECT_EQ(CompiledCache::Open().error().code, ErrorCode::kInvalidInput);
    fs::permissions(open, fs::perms::owner_all);
  }
  EXPECT_TRUE(CompiledCache::Open().has_value());
}

TEST_F(CompiledCacheTest, WhereNothingCanBeMade_TheVariableIsNamed) {
  std::ofstream(folder_ / "cache") << "a file";
  const auto cache = CompiledCache::Open();
  ASSERT_FALSE(cache.has_value());
  EXPECT_EQ(cache.error().code, ErrorCode::kIo);
  EXPECT_NE(cache.error().message.find("set HEADWAY_CACHE"), std::string::npos);
}

}  // namespace
}  // namespace headway
