// What the system and other people do to files: names in any bytes, too long names, limits, owners.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli_fixture.h"

namespace headway::cli_test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using LimitsTest = CliTest;

TEST_F(LimitsTest, BytesOutsideUtf8_InNames_AreShownEscaped) {
  const std::string model = Path("mod\xff\x1b.gguf");
  fs::rename(EditedGguf("named.gguf", {.string_value = {"general.name", "caf\xe9 \xff\x1b[31m"}}),
             model);
  const std::string package = Path("p\xfe");
  HeadwayOk({"pack", model, "-o", package, "--gate"});
  for (const Args& args :
       {Args{"run", model, "-p", "a", "-n", "1", "--json"}, Args{"inspect", package, "--json"},
        Args{"gate", "all", package, "--json"},
        Args{"run", package, "-p", "a", "-n", "1", "--json"}}) {
    const Outcome outcome = HeadwayOk(args);
    EXPECT_FALSE(Json::parse(outcome.out, nullptr, false).is_discarded()) << outcome.out;
    EXPECT_EQ((outcome.out + outcome.err).find('\x1b'), std::string::npos) << args[0];
  }
  const std::string steering = Path("p\x1b[2J");
  fs::rename(package, steering);
  for (const Args& args :
       {Args{"inspect", model}, Args{"inspect", steering}, Args{"cache", "list"},
        Args{"gate", "all", steering}, Args{"gate", "all", steering, "--report=" + Path("r\x1b")},
        Args{"run", steering, "-p", "a", "-n", "1", "--profile"},
        Args{"run", model, "-p", "a", "-n", "1", "--profile"},
        Args{"pack", model, "-o", Path("q\x1b"), "--gate"},
        Args{"synth", "tiny-phi", "-o", Path("s\x1b.gguf")},
        Args{"bench", "chain", steering, "--tokens", "2", "--rounds", "1"}}) {
    const Outcome outcome = HeadwayOk(args);
    EXPECT_EQ((outcome.out + outcome.err).find('\x1b'), std::string::npos)
        << args[0] << "\n"
        << outcome.out << outcome.err;
  }
  const Outcome missing = Headway({"run", Path("no\xff"), "-p", "a"});
  EXPECT_EQ(missing.status, 2);
}

TEST_F(LimitsTest, LongNames_Run) {
  const std::string model = Path(std::string(220, 'n') + ".gguf");
  fs::rename(TinyPhi(), model);
  HeadwayOk({"run", model, "-p", "a", "-n", "1"});
  HeadwayOk({"run", model, "-p", "a", "-n", "1"});
}

// The system sends SIGXFSZ where a file would grow beyond the limit.
TEST_F(LimitsTest, AFileSizeLimit_IsAnErrorThatLeavesNothing) {
  const std::string model = TinyPhi();
  ExpectRefused({"pack", model, "-o", Path("new")}, {"File too large"}, {.max_file_bytes = 100000});
  ExpectRefused({"synth", "tiny-phi", "-o", Path("new.gguf")}, {"File too large"},
                {.max_file_bytes = 100000});
}

// From where the tool starts at all up to where everything fits, each allocation fails once or more.
TEST_F(LimitsTest, LittleMemory_IsAMessage) {
  constexpr int64_t kStep = int64_t{4} << 20;
  constexpr int64_t kMost = int64_t{600} << 20;
  int64_t starts = kStep;
  while (starts < kMost && Headway({"--version"}, {.max_memory_bytes = starts}).status != 0)
    starts += kStep;
  if (starts >= kMost) GTEST_SKIP() << "a sanitizer needs more address space than this";
  const std::string model = SourceDirectory() + "/models/story-12m.gguf";
  const std::string package = Path("package");
  const std::string programs = Path("programs");
  HeadwayOk({"pack", model, "-o", package, "--head", "full:2"});
  HeadwayOk({"pack", model, "-o", programs, "--device", "coreml", "--head", "full:2,certified"});
  const std::vector<Args> commands = {
      {"run", package, "-p", "a", "-n", "3", "--threads", "2"},
      {"run", programs, "-p", "a", "-n", "2", "--threads", "2"},
      {"run", programs, "-p", "a", "-n", "2", "--head", "certified"},
      {"pack", model, "-o", Path("new"), "--device", "coreml", "--threads", "2"},
  };
  for (const Args& command : commands) {
    Outcome outcome;
    int refused = 0;
    for (int64_t bytes = starts; bytes < kMost && (outcome.status != 0 || bytes == starts);
         bytes += kStep) {
      outcome = Headway(command, {.max_memory_bytes = bytes});
      EXPECT_TRUE(outcome.status == 0 || outcome.status == 2)
          << command[0] << " " << command[1] << ", " << bytes << " bytes: " << outcome.status
          << outcome.err;
      refused += outcome.status == 2 ? 1 : 0;
    }
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_GT(refused, 0) << command[0] << " " << command[1];
    fs::remove_all(Path("new"));
  }
}

TEST_F(LimitsTest, TooFewDescriptors_AreAnErrorThatLeavesNothing) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "a sanitizer needs descriptors of its own";
#endif
#endif
  const std::string model = TinyPhi();
  const std::string package = Package();
  int refused = 0;
  for (int64_t most = 4; most < 18; most += 2) {
    for (const Args& args :
         {Args{"pack", model, "-o", Path("new")}, Args{"run", package, "-p", "a", "-n", "1"},
          Args{"run", model, "-p", "a", "-n", "1"}}) {
      const Outcome outcome = Headway(args, {.max_descriptors = most});
      if (outcome.status == 127) continue;  // too few to start a program
      ASSERT_TRUE(outcome.status == 0 || outcome.status == 2)
          << outcome.status << " with " << most << ": " << outcome.err;
      refused += outcome.status == 2 ? 1 : 0;
      EXPECT_EQ(fs::exists(Path("new")), args[0] == "pack" && outcome.status == 0) << most;
      for (const std::string& name : List(Path("")))
        EXPECT_EQ(name.find(".partial"), std::string::npos) << most;
      fs::remove_all(Path("new"));
      fs::remove_all(Path("cache"));
    }
  }
  EXPECT_GT(refused, 0);
}

TEST_F(LimitsTest, ACacheOfAnotherUser_IsNotUsed) {
  const std::string model = TinyPhi();
  const Args run = {"run", model, "-p", "a", "-n", "1"};
  HeadwayOk(run);
  const std::string cache = Path("cache");
  fs::permissions(cache, fs::perms::all);
  ExpectRefused(run, {cache, "expected a directory that others cannot write to"});
  fs::permissions(cache, fs::perms::owner_all | fs::perms::group_all);
  ExpectRefused(run, {cache, "expected a directory that others cannot write to", "chmod g-w"});
  fs::permissions(cache, fs::perms::owner_all);
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  if (::chown(cache.c_str(), 12345, 12345) != 0) GTEST_SKIP() << "this root has no other users";
  ExpectRefused(run, {cache, "expected a directory of this user's", "12345"});
  ASSERT_EQ(::chown(cache.c_str(), 0, 0), 0);
  std::string package;
  for (const fs::directory_entry& entry : fs::directory_iterator(cache)) {
    if (entry.path().filename().string().starts_with("tiny-")) package = entry.path();
  }
  ASSERT_EQ(::chown(package.c_str(), 12345, 12345), 0);
  ExpectRefused(run, {package, "expected a directory of this user's"});
}

// With the umask of many a distribution, directories are the group's, too: not the cache.
TEST_F(LimitsTest, ACacheIsMadeForItsOwnerAlone) {
  const ProcessOptions options = {.environment = {{"HEADWAY_CACHE", Path("made/here")}}};
  const Args run = {"run", TinyPhi(), "-p", "a", "-n", "1"};
  const mode_t before = ::umask(0002);
  const Outcome packed = Headway(run, options);
  const Outcome again = Headway(run, options);
  ::umask(before);
  EXPECT_EQ(packed.status, 0) << packed.err;
  EXPECT_EQ(again.status, 0) << again.err;
  constexpr auto kOthers = fs::perms::group_write | fs::perms::others_write;
  EXPECT_EQ(fs::status(Path("made/here")).permissions() & kOthers, fs::perms::none);
  int directories = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(Path("made/here"))) {
    if (!entry.is_directory()) continue;
    ++directories;
    EXPECT_EQ(entry.status().permissions() & kOthers, fs::perms::none) << entry.path();
  }
  EXPECT_EQ(directories, 1);
}

TEST_F(LimitsTest, PositionsBeyond32Bits_AreRefusedByName) {
  std::string bytes = ReadFile(TinyPhi());
  const std::string key = "phi3.context_length";
  const size_t at = bytes.find(key) + key.size() + 4;
  const uint32_t context = 0xffffffff;
  std::memcpy(bytes.data() + at, &context, 4);
  WriteFile(Path("long.gguf"), bytes);
  for (const char* positions : {"2147483648", "4294967295", "1048577"}) {
    ExpectRefused({"pack", Path("long.gguf"), "-o", Path("new"), "--device", "coreml", "--max-seq",
                   positions},
                  {"--max-seq", positions});
  }
}

TEST_F(LimitsTest, Cache_IsShownAndEmptied) {
  EXPECT_EQ(HeadwayOk({"cache", "path"}).out, Path("cache") + "\n");
  EXPECT_NE(HeadwayOk({"cache", "list"}).out.find("in 0 packages"), std::string::npos);
  EXPECT_NE(HeadwayOk({"cache", "clean"}).out.find("removed 0.0 MB"), std::string::npos);
  HeadwayOk({"run", TinyPhi(), "-p", "a", "-n", "1"});
  HeadwayOk({"run", TinyPhi(), "-p", "a", "-n", "1", "--head", "full:2"});
  fs::create_directories(Path("cache/mine"));
  WriteFile(Path("cache/mine/manifest.json"), "{\"name\": \"a web app\"}");
  fs::create_directories(Path("cache/tiny-0.partial-999999999"));
  std::vector<std::string> packages;
  const auto names = [&] {
    std::vector<std::string> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(Path("cache")))
      found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  };
  for (const std::string& name : names()) {
    if (fs::exists(Path("cache/" + name + "/tokenizer.gguf"))) packages.push_back(name);
  }
  ASSERT_EQ(packages.size(), 2U);
  // What a system has compiled (device/compiled_cache.h).
  fs::create_directories(Path("cache/compiled/0-1/program.mlmodelc"));
  WriteFile(Path("cache/compiled/0-1/source"), "/p/layers.mlpackage");
  fs::create_directories(Path("cache/compiled/0-2.partial-999999999"));
  const std::string list = HeadwayOk({"cache", "list"}).out;
  EXPECT_NE(list.find("compiled/0-1  /p/layers.mlpackage\n"), std::string::npos) << list;
  EXPECT_NE(list.find("in 2 packages and 1 compiled programs in "), std::string::npos) << list;
  EXPECT_NE(list.find(packages[0] + "  tiny.gguf\n"), std::string::npos) << list;
  ExpectRefused({"cache", "clean", "none"}, {"expected a package called 'none', found none"});
  HeadwayOk({"cache", "clean", packages[1]});
  EXPECT_TRUE(fs::exists(Path("cache/" + packages[0])));
  EXPECT_FALSE(fs::exists(Path("cache/" + packages[1])));
  HeadwayOk({"cache", "clean"});
  EXPECT_EQ(names(), (std::vector<std::string>{"compiled", "mine"}));
  EXPECT_TRUE(fs::is_empty(Path("cache/compiled")));
  ExpectRefused({"cache", "list"}, {"expected one of HEADWAY_CACHE, XDG_CACHE_HOME and HOME"},
                {.environment = {{"HEADWAY_CACHE", ""}, {"XDG_CACHE_HOME", ""}, {"HOME", ""}}});
}

TEST_F(LimitsTest, ClosedStdout_IsAnErrorWhereItIsThePoint) {
  const std::string package = Package();
  for (const Args& args : {Args{"run", package, "-p", "a", "-n", "1"}, Args{"inspect", package},
                           Args{"cache", "path"}}) {
    const Outcome outcome = Headway(args, {.close_stdout = true});
    EXPECT_EQ(outcome.status, 2) << args[0];
    EXPECT_NE(outcome.err.find("stdout: expected an open stream"), std::string::npos)
        << outcome.err;
  }
  const Outcome full = Headway({"eval", "perplexity", package, "-f", package + "/manifest.json",
                                "--ctx", "16", "--chunks", "1"},
                               {.stdout_path = "/dev/full"});
  EXPECT_EQ(full.status, 2);
  EXPECT_NE(full.err.find("stdout: cannot write"), std::string::npos) << full.err;
}

}  // namespace
}  // namespace headway::cli_test
