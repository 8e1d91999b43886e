// Packages: what is packed opens, the same bytes every time; what is broken, interrupted or cut
// short by a full disk does not open, and says why.

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include "interrupted_emitter.h"
#include "model_fixture.h"
#include "patched_file.h"

namespace headway::parity {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

class PackageTest : public testing::Test {
 protected:
  Result<Manifest> PackTo(const std::string& directory, Emitter* emitter,
                          bool replace = false) const {
    return pack::Pack(model_.File(), directory,
                      {.topology = "1", .heads = {"full:2"}, .replace = replace}, emitter);
  }
  static std::string OpenError(const std::string& directory, bool verify) {
    EngineOptions options;
    options.threads = 1;
    options.verify_contents = verify;
    const auto opened = OpenPackage(directory, options);
    return opened ? "" : opened.error().message;
  }

  const TestModel model_{"tiny-phi", "q4_0"};
};

TEST_F(PackageTest, PackedTwice_SameFilesSameBytes) {
  const auto emitter = MakeEmitterFor("cpu");
  ASSERT_TRUE(PackTo(model_.Path("one"), emitter->get()));
  ASSERT_TRUE(PackTo(model_.Path("two"), emitter->get()));
  const std::vector<std::string> names = NamesIn(model_.Path("one"));
  EXPECT_EQ(names, (std::vector<std::string>{"head_full_2_00.shard", "head_full_2_01.shard",
                                             "layers_000_001.shard", "layers_001_002.shard",
                                             "manifest.json", "tokenizer.gguf"}));
  EXPECT_EQ(NamesIn(model_.Path("two")), names);
  for (const std::string& name : names) {
    EXPECT_TRUE(ReadAll(model_.Path("one/" + name)) == ReadAll(model_.Path("two/" + name))) << name;
  }
  EXPECT_EQ(OpenError(model_.Path("one"), true), "");
  EXPECT_EQ(PackTo(model_.Path("one"), emitter->get()).error().message,
            model_.Path("one") + ": exists already; remove it or name another directory");
}

TEST_F(PackageTest, MissingTruncatedAndAlteredFiles_AreToldApart) {
  const std::string package = model_.Pack("1", {"full:2"});
  for (const std::string& name : NamesIn(package)) {
    if (name == "manifest.json") continue;
    const std::string path = package + "/" + name;
    const std::string kept = model_.Path("kept");
    fs::copy_file(path, kept, fs::copy_options::overwrite_existing);
    const auto size = fs::file_size(path);

    FlipBit(path, static_cast<int64_t>(size) - 1);
    const std::string altered = OpenError(package, true);
    EXPECT_EQ(altered.rfind(path + ": expected digest ", 0), 0U) << altered;
    EXPECT_NE(altered.find("(altered; pack again)"), std::string::npos) << altered;

    fs::resize_file(path, size - 1);
    EXPECT_EQ(OpenError(package, false), path + ": expected " + std::to_string(size) +
                                             " bytes, found " + std::to_string(size - 1) +
                                             " (truncated or replaced; pack again)");
    fs::remove(path);
    EXPECT_EQ(OpenError(package, false)
                  .rfind(path + ": the manifest lists this file, but it cannot be read", 0),
              0U);

    fs::copy_file(kept, path);
    EXPECT_EQ(OpenError(package, true), "") << name;
  }
  const std::string manifest = package + "/manifest.json";
  const std::string text = ReadAll(manifest);
  FlipBit(manifest, static_cast<int64_t>(text.size() / 2));
  EXPECT_EQ(OpenError(package, false).rfind(manifest, 0), 0U);
  fs::resize_file(manifest, text.size() / 2);
  EXPECT_EQ(OpenError(package, false).rfind(manifest, 0), 0U);
  fs::remove(manifest);
  EXPECT_EQ(OpenError(package, false), package +
                                           ": expected a package (a directory with manifest.json), "
                                           "found none; make one with 'headway pack'");
}

// Without --verify a shard's own checks stand alone: any one bit of its header or graph text may be
// wrong, and opening it either works or fails with a message that names the file.
TEST_F(PackageTest, AnyBitOfAShardsHeaderOrText_NeverCrashesTheOpening) {
  const std::string package = model_.Pack("2", {"full:1"});
  const auto opened = OpenPackage(package);
  const std::string path = package + "/layers_000_002.shard";
  const size_t text_end = ReadAll(path).find('\0', 64);
  ASSERT_GT(text_end, 500U);
  int refused = 0;
  for (size_t offset = 0; offset < text_end; ++offset) {
    FlipBit(path, static_cast<int64_t>(offset));
    const auto loaded = opened->loader->LoadLayers({&path, 1});
    if (!loaded) {
      ++refused;
      EXPECT_NE(loaded.error().message.find(path), std::string::npos) << loaded.error().message;
    }
    FlipBit(path, static_cast<int64_t>(offset));
  }
  EXPECT_GT(refused, static_cast<int>(text_end) / 2);
  EXPECT_TRUE(opened->loader->LoadLayers({&path, 1}));
}

TEST_F(PackageTest, FailedPack_LeavesNothing) {
  const std::string target = model_.Path("failed");
  for (const int num_shards : {0, 1, 3}) {
    InterruptedEmitter emitter(num_shards,
                               [] { return Fail(ErrorCode::kIo, "the device is gone"); });
    const auto packed = PackTo(target, &emitter);
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().message, "the device is gone");
    EXPECT_EQ(NamesIn(model_.Path(".")), std::vector<std::string>{"model.gguf"});
  }
}

TEST_F(PackageTest, FailedReplacement_KeepsTheOldPackage) {
  const std::string package = model_.Pack("2", {"full:1"});
  InterruptedEmitter emitter(1, [] { return Fail(ErrorCode::kIo, "the device is gone"); });
  ASSERT_FALSE(PackTo(package, &emitter, true));
  EXPECT_EQ(OpenError(package, true), "");
  const auto good = MakeEmitterFor("cpu");
  ASSERT_TRUE(PackTo(package, good->get(), true));
  EXPECT_EQ(NamesIn(package).size(), 6U);
  EXPECT_EQ(NamesIn(model_.Path(".")).size(), 2U);  // the model and the package
}

// A limit on the size of one file, small enough to stop the tokenizer's, then a shard's.
TEST_F(PackageTest, FilesThatMayNotGrow_AreAnErrorAndLeaveNothing) {
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  const auto emitter = MakeEmitterFor("cpu");
  for (const rlim_t limit : {rlim_t{1000}, rlim_t{100000}}) {
    const rlimit small{.rlim_cur = limit, .rlim_max = old.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto packed = PackTo(model_.Path("limited"), emitter->get());
    ::setrlimit(RLIMIT_FSIZE, &old);
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().code, ErrorCode::kIo);
    EXPECT_NE(packed.error().message.find("cannot write: File too large"), std::string::npos)
        << packed.error().message;
    EXPECT_EQ(NamesIn(model_.Path(".")), std::vector<std::string>{"model.gguf"}) << limit;
  }
  std::signal(SIGXFSZ, old_action);
}

TEST_F(PackageTest, FullDisk_IsAnErrorAndLeavesNothing) {
  const std::string disk = model_.Path("disk");
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") != 0)
    GTEST_SKIP() << "only root may mount a small disk";
  const auto emitter = MakeEmitterFor("cpu");
  const auto packed = PackTo(disk + "/package", emitter->get());
  EXPECT_FALSE(packed);
  if (!packed) {
    EXPECT_EQ(packed.error().code, ErrorCode::kIo);
    EXPECT_NE(packed.error().message.find("cannot write: No space left on device"),
              std::string::npos)
        << packed.error().message;
  }
  EXPECT_EQ(NamesIn(disk), std::vector<std::string>{});
  ASSERT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace headway::parity
