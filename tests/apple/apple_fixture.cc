#include "apple_fixture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>  // join, from fmt 11 on
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "lab/synth/synthesise.h"
#include "pack/pack.h"
#include "test_paths.h"

namespace headway::apple_test {
namespace {

namespace fs = std::filesystem;

// A directory of this process, removed at its end.
class Directory {
 public:
  Directory()
      : path_((fs::temp_directory_path() / fmt::format("headway-apple-{}", ::getpid())).string()) {
    fs::create_directories(path_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

const Directory& Scratch() {
  static const Directory directory;
  return directory;
}

}  // namespace

std::string StoryPackage(const Form& form) {
  static std::map<std::string, std::string> made;
  const std::string key =
      fmt::format("{}-{}-{}-{}-{}-{}-{}", fmt::join(form.heads, "+"), form.widths, form.states,
                  form.topology, form.goldens, form.shape, form.residual_scale.value_or(0.0F));
  std::string& path = made[key];
  if (!path.empty()) return path;
  ThreadPool pool(2);
  const auto emitter = MakeEmitterFor("coreml", {.weights = "int8",
                                                 .states = form.states,
                                                 .residual_scale = form.residual_scale,
                                                 .pool = &pool});
  EXPECT_TRUE(emitter.has_value()) << emitter.error().message;
  pack::PackOptions options{.topology = form.topology,
                            .heads = form.heads,
                            .threads = 2,
                            .widths = *pack::ParseStepWidths(form.widths),
                            .max_seq = 64};
  if (form.goldens) options.goldens = pack::GoldenOptions{};
  const std::string target = Scratch().Path(fmt::format("package-{}", made.size()));
  std::string model = SourceDirectory() + "/models/story-12m.gguf";
  if (!form.shape.empty()) {
    model = Scratch().Path(form.shape + ".gguf");
    const auto synthesised = synth::Synthesise({.shape = form.shape}, model, nullptr);
    EXPECT_TRUE(synthesised.has_value()) << synthesised.error().message;
  }
  const auto packed = pack::Pack(model, target, options, emitter->get());
  EXPECT_TRUE(packed.has_value()) << packed.error().message;
  path = target;
  return path;
}

Decoded Decode(OpenedModel* model, int64_t count) {
  Decoded decoded;
  const auto fail = [&](const Error& error) {
    decoded.error = error.message;
    return decoded;
  };
  SessionOptions options;
  options.capacity_tokens = 64;
  auto session = Session::Create(model->executor, std::move(options));
  if (!session) return fail(session.error());
  const auto prompt = model->tokenizer->Encode("Once upon a time there was", {.add_bos = true});
  if (const auto read = (*session)->Append(*prompt); !read) return fail(read.error());
  for (int64_t i = 0; i < count; ++i) {
    const auto choice = (*session)->Decode();
    if (!choice) return fail(choice.error());
    decoded.tokens.push_back(choice->token);
  }
  decoded.logits_hash = (*session)->GetCounters().logits_hash;
  decoded.kv_bytes = (*session)->GetCounters().kv_bytes;
  return decoded;
}

AppleTest::AppleTest()
    : cache_(Scratch().Path(
          fmt::format("cache-{}", testing::UnitTest::GetInstance()->current_test_info()->name()))) {
  ::setenv("HEADWAY_CACHE", cache_.c_str(), 1);
  standin::Behave({});
}

AppleTest::~AppleTest() {
  standin::Behave({});
  std::error_code error;
  fs::remove_all(cache_, error);
}

Result<std::unique_ptr<OpenedModel>> AppleTest::Open(const std::string& package,
                                                     const std::string& compute_units,
                                                     const std::string& head) const {
  return OpenPackage(package, {.threads = 2, .head = head, .compute_units = compute_units});
}

Decoded AppleTest::DecodeOn(const std::string& package, const std::string& compute_units,
                            int64_t count, const std::string& head) const {
  auto model = Open(package, compute_units, head);
  EXPECT_TRUE(model.has_value()) << model.error().message;
  if (!model) return {};
  Decoded decoded = Decode(model->get(), count);
  EXPECT_EQ(decoded.error, "");
  return decoded;
}

}  // namespace headway::apple_test
