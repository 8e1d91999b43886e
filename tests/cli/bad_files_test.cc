// Files that are missing, damaged or something else, and places that cannot be written to.

#include <sys/stat.h>

#include <cstring>
#include <filesystem>

#include "cli_fixture.h"

namespace headway::cli_test {
namespace {

namespace fs = std::filesystem;
using BadFiles = CliTest;

// Refused by run, pack and, when it is not even a GGUF, inspect.
#define EXPECT_MODEL_REFUSED(path, ...)                              \
  do {                                                               \
    ExpectRefused({"run", path, "-p", "a"}, {__VA_ARGS__});          \
    ExpectRefused({"pack", path, "-o", Path("new")}, {__VA_ARGS__}); \
  } while (false)

TEST_F(BadFiles, NotAModel_SaysWhatItIs) {
  const std::string missing = Path("missing.gguf");
  EXPECT_MODEL_REFUSED(missing, missing, "o such file");
  ExpectRefused({"inspect", missing}, {missing, "No such file"});
  const std::string text = Path("text.gguf");
  WriteFile(text, "Once upon a time");
  EXPECT_MODEL_REFUSED(text, text,
                       "not a GGUF file: expected the first bytes 'GGUF', found 'Once'");
  const std::string empty = Path("empty.gguf");
  WriteFile(empty, "");
  EXPECT_MODEL_REFUSED(empty, empty, "not a GGUF file: it is empty");
  fs::create_directory(Path("folder"));
  ExpectRefused(
      {"run", Path("folder"), "-p", "a"},
      {"expected a package (a directory with manifest.json), found none", "headway pack"});
  ExpectRefused({"inspect", Path("folder")}, {"expected a package"});
}

TEST_F(BadFiles, TruncatedGguf_SaysWhatIsCutOff) {
  const std::string whole = ReadFile(TinyPhi());
  const std::string path = Path("cut.gguf");
  WriteFile(path, whole.substr(0, 5000));
  EXPECT_MODEL_REFUSED(path, path, "truncated");
  WriteFile(path, whole.substr(0, whole.size() / 2));
  EXPECT_MODEL_REFUSED(path, path, "lie outside the file");
}

TEST_F(BadFiles, UnsupportedTensorType_IsNamedWithTheSupportedOnes) {
  std::string bytes = ReadFile(TinyPhi());
  const std::string name = "blk.0.ffn_down.weight";
  const size_t at = bytes.find(name);
  ASSERT_NE(at, std::string::npos);
  const uint32_t iq2_xxs = 16;  // fewer bytes than Q8_0: still inside the file
  std::memcpy(bytes.data() + at + name.size() + 4 + 2 * 8, &iq2_xxs, 4);
  const std::string path = Path("type.gguf");
  WriteFile(path, bytes);
  EXPECT_MODEL_REFUSED(path, path, name, "IQ2_XXS", "supported: F32 F16");
}

TEST_F(BadFiles, NamesInAFile_CannotSteerTheTerminal) {
  std::string bytes = ReadFile(TinyPhi());
  for (const std::string_view name : {"general.type", "blk.0.ffn_norm.weight"})
    bytes.at(bytes.find(name) + 1) = '\x1b';
  WriteFile(Path("escape.gguf"), bytes);
  const Outcome inspected = HeadwayOk({"inspect", Path("escape.gguf")});
  EXPECT_EQ(inspected.out.find('\x1b'), std::string::npos);
  EXPECT_NE(inspected.out.find("g\\x1bneral.type"), std::string::npos);
  const Outcome refused = Headway({"run", Path("escape.gguf"), "-p", "a"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_EQ(refused.err.find('\x1b'), std::string::npos) << refused.err;
}

TEST_F(BadFiles, IncompleteModel_SaysWhatIsMissing) {
  const std::string architecture =
      EditedGguf("a.gguf", {.string_value = {"general.architecture", "mamba"}});
  EXPECT_MODEL_REFUSED(architecture, "mamba", "phi3", "llama");
  const std::string tensor = EditedGguf("b.gguf", {.without_tensor = "blk.1.attn_qkv.weight"});
  EXPECT_MODEL_REFUSED(tensor, tensor, "blk.1.attn_qkv.weight");
  const std::string shape = EditedGguf("c.gguf", {.halved_tensor = "blk.1.ffn_down.weight"});
  EXPECT_MODEL_REFUSED(shape, "blk.1.ffn_down.weight", "expected", "found");
  const std::string key = EditedGguf("d.gguf", {.without_key = "phi3.embedding_length"});
  EXPECT_MODEL_REFUSED(key, key, "phi3.embedding_length");
  const std::string tokens = EditedGguf("e.gguf", {.without_key = "tokenizer.ggml.tokens"});
  EXPECT_MODEL_REFUSED(tokens, "tokenizer.ggml.tokens");
}

TEST_F(BadFiles, ChatWithoutATemplate_TakesTheFamilysAndSaysSo) {
  const std::string model = EditedGguf("plain.gguf", {.without_key = "tokenizer.chat_template"});
  const std::string package = Path("plain");
  HeadwayOk({"pack", model, "-o", package});
  EXPECT_NE(HeadwayOk({"run", package, "--chat", "-p", "a", "-n", "1"})
                .err.find("has no chat template: using the format of Phi-4-mini"),
            std::string::npos);
  HeadwayOk({"run", package, "-p", "a", "-n", "1"});
}

TEST_F(BadFiles, BrokenTemplate_IsRefusedWithItsPlace) {
  const std::string model =
      EditedGguf("broken.gguf", {.string_value = {"tokenizer.chat_template", "a\n{% for x in %}"}});
  const std::string package = Path("broken");
  HeadwayOk({"pack", model, "-o", package});
  ExpectRefused({"run", package, "--chat", "-p", "a"}, {"chat template: line 2, column"});
  HeadwayOk({"run", package, "-p", "a", "-n", "1"});
}

TEST_F(BadFiles, DamagedPackage_SaysWhichFile) {
  const std::string package = Package();
  const std::string shard = package + "/layers_000_002.shard";
  const std::string bytes = ReadFile(shard);
  const Args run = {"run", package, "-p", "a", "-n", "1"};
  WriteFile(shard, bytes.substr(0, bytes.size() - 1));
  ExpectRefused(run, {shard, "bytes, found", "(truncated or replaced; pack again)"});
  fs::remove(shard);
  ExpectRefused(run, {shard, "the manifest lists this file, but it cannot be read"});
  std::string altered = bytes;
  altered.back() = static_cast<char>(altered.back() ^ 1);
  WriteFile(shard, altered);
  // As the text may have begun before the block is looked at, stdout is not empty.
  for (const Args& args : {run, Args{"eval", "perplexity", package, "-f", TinyPhi(), "--ctx", "16",
                                     "--chunks", "1"}}) {
    const Outcome found = Headway(args);
    EXPECT_EQ(found.status, 2);
    EXPECT_NE(found.err.find(shard + ": block 0 (bytes 0 to "), std::string::npos) << found.err;
  }
  Args verified = run;
  verified.emplace_back("--verify");
  ExpectRefused(verified, {shard, "expected digest", "(altered; pack again)"});
  WriteFile(shard, bytes);
  HeadwayOk(verified);
}

TEST_F(BadFiles, EditedManifest_IsRefused) {
  const std::string path = Package() + "/manifest.json";
  const std::string text = ReadFile(path);
  const Args run = {"run", Package(), "-p", "a", "-n", "1"};
  std::string edited = text;
  edited.replace(edited.find("\"end\": 2"), 8, "\"end\": 1");
  WriteFile(path, edited);
  ExpectRefused(run, {path});
  WriteFile(path, text.substr(0, text.size() / 2));
  ExpectRefused(run, {path});
  WriteFile(path, "");
  ExpectRefused(run, {path});
}

TEST_F(BadFiles, PackTarget_IsNeverOverwrittenByAccident) {
  const std::string model = TinyPhi();
  const std::string package = Package();
  ExpectRefused({"pack", model, "-o", package}, {package, "exists already"});
  HeadwayOk({"pack", model, "-o", package, "--replace"});
  WriteFile(package + "/notes.txt", "mine");
  ExpectRefused(
      {"pack", model, "-o", package, "--replace"},
      {package, "expected a package and nothing else to replace, found 'notes.txt' in it"});
  EXPECT_EQ(ReadFile(package + "/notes.txt"), "mine");
  fs::remove(package + "/notes.txt");
  HeadwayOk({"pack", model, "-o", package, "--replace"});
  // --replace means a package, never a model file or a folder of the user's.
  ExpectRefused({"pack", model, "-o", model, "--replace"},
                {model, "expected a package to replace"});
  fs::create_directory(Path("home"));
  WriteFile(Path("home") + "/letter", "dear");
  ExpectRefused({"pack", model, "-o", Path("home"), "--replace"},
                {"expected a package to replace"});
  EXPECT_EQ(ReadFile(Path("home") + "/letter"), "dear");
  ExpectRefused({"pack", model, "-o", model + "/new"}, {"cannot create directory"});
  ExpectRefused({"synth", "tiny-phi", "-o", Path("no/folder/a.gguf")}, {"cannot create"});
}

TEST_F(BadFiles, UnwritableCache_IsNamedWithItsVariable) {
  WriteFile(Path("file"), "");
  ExpectRefused({"run", TinyPhi(), "-p", "a"},
                {"HEADWAY_CACHE", Path("file/cache"), "headway pack"},
                {.environment = {{"HEADWAY_CACHE", Path("file/cache")}}});
  ExpectRefused({"run", TinyPhi(), "-p", "a"},
                {"expected one of HEADWAY_CACHE, XDG_CACHE_HOME and HOME"},
                {.environment = {{"HEADWAY_CACHE", ""}, {"XDG_CACHE_HOME", ""}, {"HOME", ""}}});
}

TEST_F(BadFiles, FullDisk_LeavesNothingBehind) {
  ExpectRefused({"pack", TinyPhi(), "-o", Path("new")}, {"cannot write"},
                {.max_file_bytes = 100000});
  ExpectRefused({"synth", "tiny-phi", "-o", Path("new.gguf")}, {"cannot write"},
                {.max_file_bytes = 100000});
  const Outcome into_cache = Headway({"run", TinyPhi(), "-p", "a"}, {.max_file_bytes = 100000});
  EXPECT_EQ(into_cache.status, 2);
  EXPECT_NE(into_cache.err.find("HEADWAY_CACHE"), std::string::npos) << into_cache.err;
  EXPECT_TRUE(List(Path("cache")).empty());
}

TEST_F(BadFiles, FullStdout_IsReported) {
  for (const Args& args : std::vector<Args>{{"--help"},
                                            {"inspect", Package()},
                                            {"run", Package(), "-p", "a", "-n", "3"},
                                            {"run", Package(), "-p", "a", "-n", "3", "--json"}}) {
    ExpectRefused(args, {"stdout: cannot write: No space left on device"},
                  {.stdout_path = "/dev/full"});
  }
}

}  // namespace
}  // namespace headway::cli_test
