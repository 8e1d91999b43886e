// The cache of packages: never another file's package, whatever has the same name, size or time.

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "cli_fixture.h"
#include "gguf/gguf_file.h"

namespace headway::cli_test {
namespace {

namespace fs = std::filesystem;

class CacheTest : public CliTest {
 protected:
  std::string Hash(const std::string& model, Args more = {}) const {
    more.insert(more.begin(), {"run", model, "-p", "hello", "-n", "4", "--json"});
    const std::string text = HeadwayOk(more).out;
    const size_t at = text.find("logits_hash");
    return at == std::string::npos ? text : text.substr(at, 40);
  }
  // Changes weights in the middle of the file; the size stays.
  static void ChangeMiddle(const std::string& path) {
    const auto file = gguf::GgufFile::Open(path);
    ASSERT_TRUE(file.has_value());
    const auto tensor = file->GetTensor("blk.1.ffn_down.weight");
    ASSERT_TRUE(tensor.has_value());
    const auto offset = tensor->data - file->Mapping().Bytes().data();
    std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(offset + 2);  // behind the first block's scale
    bytes << std::string(30, '\x55');
  }
};

TEST_F(CacheTest, AFileChangedInTheMiddle_IsAnotherModel) {
  const std::string model = TinyPhi();
  const std::string before = Hash(model);
  struct stat old {};
  ASSERT_EQ(::stat(model.c_str(), &old), 0);
  ChangeMiddle(model);
  const timespec times[2] = {old.st_atim, old.st_mtim};  // as a copy that keeps times would
  ASSERT_EQ(::utimensat(AT_FDCWD, model.c_str(), times, 0), 0);
  const std::string after = Hash(model);
  EXPECT_NE(after, before);
  EXPECT_EQ(Hash(model, {"--verify"}), after);
  HeadwayOk({"pack", model, "-o", Path("fresh")});
  EXPECT_EQ(Hash(Path("fresh"), {"--allow-ungated"}), after);
}

TEST_F(CacheTest, TwoFilesOfOneNameAndSize_HaveAPackageEach) {
  fs::create_directories(Path("a"));
  fs::create_directories(Path("b"));
  fs::copy_file(TinyPhi(), Path("a/model.gguf"));
  fs::copy_file(TinyPhi(), Path("b/model.gguf"));
  ChangeMiddle(Path("b/model.gguf"));
  const std::string a = Hash(Path("a/model.gguf"));
  const std::string b = Hash(Path("b/model.gguf"));
  EXPECT_NE(a, b);
  EXPECT_EQ(Hash(Path("a/model.gguf")), a);
  EXPECT_EQ(Hash(Path("b/model.gguf")), b);
}

TEST_F(CacheTest, OnceRemembered_TheFileIsNotReadAgain) {
  const std::string model = TinyPhi();
  const timespec past[2] = {{.tv_sec = 1000000000, .tv_nsec = 0},
                            {.tv_sec = 1000000000, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, model.c_str(), past, 0), 0);
  std::this_thread::sleep_for(
      std::chrono::milliseconds(2100));  // a change this young may be missed
  Hash(model);
  int notes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(Path("cache")))
    notes += entry.path().filename().string().rfind("source-", 0) == 0 ? 1 : 0;
  EXPECT_EQ(notes, 1);
}

TEST_F(CacheTest, ManyAtOnce_OnePacksAndAllRun) {
  const std::string model = TinyPhi();
  std::vector<Outcome> outcomes(4);
  std::vector<std::thread> users;
  for (Outcome& outcome : outcomes) {
    users.emplace_back([&] { outcome = Headway({"run", model, "-p", "hello", "-n", "4"}); });
  }
  for (std::thread& user : users) user.join();
  int packed = 0;
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out, outcomes.front().out);
    packed += outcome.err.find(" once into ") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(packed, 1);
}

// A browser's extension has a manifest.json, too.
TEST_F(CacheTest, Replace_SparesOtherProgramsFolders) {
  fs::create_directories(Path("extension"));
  WriteFile(Path("extension/manifest.json"),
            R"({"manifest_version": 3, "name": "x", "version": "1"})");
  const Outcome outcome = Headway({"pack", TinyPhi(), "-o", Path("extension"), "--replace"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.err.find("expected a package to replace"), std::string::npos) << outcome.err;
  EXPECT_TRUE(fs::exists(Path("extension/manifest.json")));
}

TEST_F(CacheTest, WhatDeadProcessesLeft_IsRemoved) {
  const std::string left = Path("package.partial-999999999");  // no such process
  fs::create_directories(left);
  WriteFile(left + "/layers_000_002.shard", "half");
  HeadwayOk({"pack", TinyPhi(), "-o", Path("package")});
  EXPECT_FALSE(fs::exists(left));
}

// Any part stands for the model: one package, the whole file's tokens; what is wrong with one is
// said of that one.
TEST_F(CacheTest, SplitModel_IsItsParts) {
  HeadwayOk({"synth", "tiny-phi", "-o", Path("whole.gguf"), "--type", "q8_0"});
  HeadwayOk({"synth", "tiny-phi", "-o", Path("m.gguf"), "--type", "q8_0", "--parts", "3"});
  const std::string expected = Hash(Path("whole.gguf"));
  EXPECT_EQ(Hash(Path("m-00001-of-00003.gguf")), expected);
  const size_t packages = List(Path("cache")).size();
  EXPECT_EQ(Hash(Path("m-00003-of-00003.gguf")), expected);
  EXPECT_EQ(List(Path("cache")).size(), packages);
  const std::string inspected = HeadwayOk({"inspect", Path("m-00002-of-00003.gguf")}).out;
  EXPECT_NE(inspected.find("part 3 of 3: " + Path("m-00003-of-00003.gguf")), std::string::npos);

  std::string changed;
  for (const char part : {'1', '2', '3'}) {  // wherever the tensor is
    std::string name = "m-00001-of-00003.gguf";
    name[6] = part;
    const std::string path = Path(name);
    const auto file = gguf::GgufFile::Open(path);
    ASSERT_TRUE(file.has_value());
    const gguf::TensorInfo* const tensor = file->FindTensor("blk.1.ffn_down.weight");
    ASSERT_NE(tensor, nullptr);
    if (file->PartPath(tensor->part) != path) continue;
    std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(tensor->offset_bytes) + 2);
    bytes << std::string(30, '\x55');
    changed = path;
  }
  ASSERT_FALSE(changed.empty());
  EXPECT_NE(Hash(Path("m-00001-of-00003.gguf")), expected);

  fs::rename(Path("m-00002-of-00003.gguf"), Path("away.gguf"));
  ExpectRefused({"run", Path("m-00001-of-00003.gguf"), "-p", "hello"},
                {"part 2 is missing", "m-00002-of-00003.gguf"});
  ExpectRefused({"run", Path("away.gguf"), "-p", "hello"}, {"ends in -00002-of-00003.gguf"});
}

}  // namespace
}  // namespace headway::cli_test
