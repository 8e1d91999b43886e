#include "cli_fixture.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "gguf/gguf_file.h"
#include "gguf/gguf_writer.h"
#include "lab/synth/synthesise.h"
#include "test_paths.h"

namespace headway::cli_test {
namespace fs = std::filesystem;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

namespace {

std::string NewFolder() {
  std::string pattern = (fs::temp_directory_path() / "headway-cli-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  return pattern;
}

}  // namespace

void CliTest::SetUp() { folder_ = NewFolder(); }

void CliTest::TearDown() {
  std::error_code error;
  fs::remove_all(folder_, error);
}

namespace {

// What a process makes once; each test works on a copy in its own folder.
class SharedFolder {
 public:
  SharedFolder() : path_(NewFolder()) {}
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  ~SharedFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

const SharedFolder& Shared() {
  static const SharedFolder folder;
  return folder;
}

void CopyOnce(const std::string& from, const std::string& to) {
  if (fs::exists(to)) return;
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive, error);
  EXPECT_FALSE(error) << to << ": " << error.message();
}

}  // namespace

std::string CliTest::TinyPhi() {
  const std::string shared = Shared().Path("tiny.gguf");
  if (!fs::exists(shared)) {
    const auto made =
        synth::Synthesise({.shape = "tiny-phi", .type = "q8_0", .seed = 1}, shared, nullptr);
    EXPECT_TRUE(made.has_value());
  }
  std::string path = Path("tiny.gguf");
  CopyOnce(shared, path);
  return path;
}

std::string CliTest::Package() {
  const std::string shared = Shared().Path("package");
  if (!fs::exists(shared)) {
    HeadwayOk({"pack", TinyPhi(), "-o", shared, "--head", "full:4,full:1,full:2,full:3", "--gate"});
  }
  std::string path = Path("package");
  CopyOnce(shared, path);
  return path;
}

std::string CliTest::EditedGguf(const std::string& name, const GgufEdit& edit) {
  const auto source = gguf::GgufFile::Open(TinyPhi());
  gguf::GgufWriter writer;
  for (const gguf::MetadataEntry& entry : source->Metadata()) {
    if (entry.key == edit.without_key) continue;
    if (entry.key == edit.string_value.first) {
      writer.AddString(entry.key, edit.string_value.second);
    } else {
      writer.AddCopy(entry);
    }
  }
  const auto kept_bytes = [&](const gguf::TensorInfo& tensor) {
    return tensor.name == edit.halved_tensor ? tensor.size_bytes / 2 : tensor.size_bytes;
  };
  for (const gguf::TensorInfo& tensor : source->Tensors()) {
    if (tensor.name == edit.without_tensor) continue;
    const bool halved = tensor.name == edit.halved_tensor;
    writer.AddTensor(
        tensor.name, *tensor.type,
        halved ? Shape{tensor.shape.Rows() / 2, tensor.shape.Columns()} : tensor.shape);
  }
  std::string path = Path(name);
  EXPECT_TRUE(writer.Begin(path).has_value());
  for (const gguf::TensorInfo& tensor : source->Tensors()) {
    if (tensor.name == edit.without_tensor) continue;
    const auto bytes = source->Mapping().Bytes().subspan(tensor.offset_bytes, kept_bytes(tensor));
    EXPECT_TRUE(writer.WriteTensorBytes(tensor.name, bytes).has_value());
  }
  EXPECT_TRUE(writer.Finish().has_value());
  return path;
}

Outcome CliTest::Headway(const Args& args, ProcessOptions options) const {
  const auto given = [&](const char* name) {
    return std::any_of(options.environment.begin(), options.environment.end(),
                       [&](const auto& entry) { return entry.first == name; });
  };
  if (!given("HEADWAY_CACHE")) options.environment.emplace_back("HEADWAY_CACHE", Path("cache"));
  if (!given("HEADWAY_CPU")) options.environment.emplace_back("HEADWAY_CPU", "");
  Args argv = {BinaryDirectory() + "/headway"};
  argv.insert(argv.end(), args.begin(), args.end());
  Outcome outcome = RunProcess(argv, options);
  EXPECT_FALSE(outcome.timed_out) << ::testing::PrintToString(args);
  return outcome;
}

Outcome CliTest::HeadwayOk(const Args& args, ProcessOptions options) const {
  Outcome outcome = Headway(args, std::move(options));
  EXPECT_EQ(outcome.status, 0) << ::testing::PrintToString(args) << "\n" << outcome.err;
  return outcome;
}

// What takes longer than a second, as much does under a sanitizer, shows its progress:
// "WHAT: 57 % ..." and "WHAT: done in ...".
static std::string WithoutProgress(const std::string& text) {
  static const std::regex progress("[^\n:]+: +([0-9]+ % |done in )[^\n]*\n");
  return std::regex_replace(text, progress, "");
}

void CliTest::ExpectRefused(const Args& args, const std::vector<std::string>& parts,
                            ProcessOptions options) const {
  SCOPED_TRACE(::testing::PrintToString(args));
  const std::vector<std::string> before = List(folder_);
  const Outcome outcome = Headway(args, std::move(options));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.out, "");
  const std::string said = WithoutProgress(outcome.err);
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << outcome.err;
  EXPECT_EQ(said.rfind("headway: ", 0), 0U) << outcome.err;
  for (const std::string& part : parts) {
    EXPECT_NE(outcome.err.find(part), std::string::npos)
        << "expected: " << part << "\nfound: " << outcome.err;
  }
  std::vector<std::string> after = List(folder_);
  std::erase(after, Path("cache"));  // the folder itself may have been made
  std::vector<std::string> expected = before;
  std::erase(expected, Path("cache"));
  EXPECT_EQ(after, expected);
}

std::vector<std::string> CliTest::List(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path, error)) {
    // The digest of a file that has been read: remembered only if the file is not quite new, so
    // whether it is there depends on how slow the machine is.
    if (entry.path().filename().string().starts_with("source-")) continue;
    names.push_back(entry.path().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace headway::cli_test
