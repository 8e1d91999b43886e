// What a killed pack leaves: nothing that opens, and every finished shard for the next one. On both
// devices, of which one writes files and the other directories.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "interrupted_emitter.h"
#include "model_fixture.h"
#include "pack/pack.h"

namespace headway::parity {
namespace {

namespace fs = std::filesystem;

struct Device {
  std::string name;
  std::vector<std::string> heads;
  int num_shards;            // that tiny-phi has here
  std::string first_layers;  // a shard, and a file in it
  std::string file_of_it;
};

// Bytes of every file below `directory`, by relative path.
std::map<std::string, std::string> Contents(const std::string& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    contents[fs::relative(entry.path(), directory).string()] =
        std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return contents;
}

class ResumeTest : public testing::TestWithParam<Device> {
 protected:
  pack::PackOptions Options() const {
    pack::PackOptions options{.topology = "1", .heads = GetParam().heads};
    if (GetParam().name == "coreml") {
      options.max_seq = 32;
      options.widths = {{.tokens = 1}, {.tokens = 4}};
    }
    options.rotation_seed = 7;
    return options;
  }
  Result<Manifest> PackTo(const std::string& target, Emitter* emitter) const {
    return pack::Pack(model_.File(), target, Options(), emitter);
  }
  // Packs in a process of its own that is killed at shard `num_shards`; returns the directory it
  // leaves.
  std::string PackAndDie(const std::string& target, int num_shards) const {
    const pid_t child = ::fork();
    if (child == 0) {
      InterruptedEmitter emitter(
          num_shards,
          []() -> Result<FileEntry> {
            ::kill(::getpid(), SIGKILL);
            return FileEntry{};
          },
          GetParam().name);
      static_cast<void>(PackTo(target, &emitter).has_value());
      ::_exit(0);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    return target + ".partial-" + std::to_string(child);
  }
  // Goes on with what was left; returns how many shards it made itself.
  int Resume(const std::string& target) const {
    InterruptedEmitter emitter(
        -1, []() -> Result<FileEntry> { return FileEntry{}; }, GetParam().name);
    const auto packed = PackTo(target, &emitter);
    EXPECT_TRUE(packed) << packed.error().message;
    return emitter.Made();
  }
  static std::string OpenError(const std::string& directory, bool verify) {
    EngineOptions options;
    options.threads = 1;
    options.verify_contents = verify;
    const auto opened = OpenPackage(directory, options);
    return opened ? "" : opened.error().message;
  }

  const TestModel model_{"tiny-phi", "q8_0"};
};

TEST_P(ResumeTest, LeavesNothingThatOpens) {
  const std::string target = model_.Path("killed");
  const std::string partial = PackAndDie(target, 3);
  EXPECT_FALSE(fs::exists(target));
  ASSERT_TRUE(fs::exists(partial));
  EXPECT_EQ(OpenError(partial, false).rfind(partial + ": expected a package", 0), 0U);
}

// Killed at every shard in turn, and then once more: what was finished is kept, and the bytes are
// those of a pack that nobody killed.
TEST_P(ResumeTest, GoesOnWhereItStopped_WithTheSameBytes) {
  EXPECT_EQ(Resume(model_.Path("whole")), GetParam().num_shards);
  const std::map<std::string, std::string> whole = Contents(model_.Path("whole"));
  for (int killed_at = 0; killed_at < GetParam().num_shards; ++killed_at) {
    const std::string target = model_.Path("resumed" + std::to_string(killed_at));
    const std::string partial = PackAndDie(target, killed_at);
    ASSERT_TRUE(fs::exists(partial + "/pack.journal"));
    std::ofstream(partial + "/half-written") << "of the next shard";
    fs::create_directories(partial + "/half.mlpackage/Data");
    EXPECT_EQ(Resume(target), GetParam().num_shards - killed_at);
    EXPECT_FALSE(fs::exists(partial));
    EXPECT_TRUE(Contents(target) == whole) << killed_at;
  }
  EXPECT_EQ(OpenError(model_.Path("resumed1"), true), "");
}

TEST_P(ResumeTest, DamagedShards_AreMadeAgain) {
  const std::string target = model_.Path("damaged");
  const std::string partial = PackAndDie(target, 3);
  const std::string path = partial + "/" + GetParam().first_layers + GetParam().file_of_it;
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(100);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(100);
    file.put(byte);
    ASSERT_TRUE(file.flush());
  }
  std::ofstream(partial + "/pack.journal", std::ios::app) << "{\"path\": \"cut";
  EXPECT_EQ(Resume(target), GetParam().num_shards - 2);
  EXPECT_EQ(OpenError(target, true), "");
}

TEST_P(ResumeTest, OfAnotherRequest_IsClearedAway) {
  const std::string target = model_.Path("other");
  const std::string partial = PackAndDie(target, 2);
  InterruptedEmitter emitter(
      -1, []() -> Result<FileEntry> { return FileEntry{}; }, GetParam().name);
  pack::PackOptions options = Options();
  options.topology = "2";
  ASSERT_TRUE(pack::Pack(model_.File(), target, options, &emitter).has_value());
  EXPECT_LT(emitter.Made(), GetParam().num_shards);  // one layer shard instead of two
  EXPECT_GT(emitter.Made(), 0);
  EXPECT_FALSE(fs::exists(partial));
  EXPECT_EQ(OpenError(target, true), "");
}

// Of the coreml package: the embedding, two layers, two parts of a full head and four of a certified
// one, each for both widths.
const Device kCpu{"cpu", {"full:2"}, 4, "layers_000_001.shard", ""};
const Device kCoreml{"coreml",
                     {"full:2", "certified"},
                     9,
                     "layers_000_001_t1_4.mlpackage",
                     "/Data/com.apple.CoreML/weights/weight.bin"};

INSTANTIATE_TEST_SUITE_P(Devices, ResumeTest, testing::Values(kCpu, kCoreml),
                         [](const auto& device) { return device.param.name; });

}  // namespace
}  // namespace headway::parity
