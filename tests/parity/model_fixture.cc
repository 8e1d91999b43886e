#include "model_fixture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <filesystem>

#include "kernels/kernel_set.h"
#include "lab/synth/synthesise.h"
#include "lab/synth/type_mix.h"

namespace headway::parity {

namespace fs = std::filesystem;

namespace {

// Packing syncs every file: a directory in memory spares the tests thousands of disk flushes.
std::string Root() { return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : testing::TempDir(); }

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  static std::atomic<int> counter{0};
  path_ = Root() + "headway_parity." + std::to_string(::getpid()) + "." + std::to_string(counter++);
  fs::remove_all(path_);
  fs::create_directories(path_);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code error;
  fs::remove_all(path_, error);
}

std::vector<std::string> AllTypes() {
  std::vector<std::string> names;
  for (const synth::TypeMix& mix : synth::TypeMixes()) names.emplace_back(mix.name);
  return names;
}

TestModel::TestModel(const std::string& shape, const std::string& type,
                     const std::string& head_type)
    : file_(directory_.Path("model.gguf")) {
  const auto made = synth::Synthesise(
      {.shape = shape, .type = type, .seed = 11, .head_type = head_type}, file_, {});
  EXPECT_TRUE(made) << made.error().message;
}

std::string TestModel::Pack(const std::string& topology, const std::vector<std::string>& heads,
                            int64_t most_directions) const {
  std::string name = "package_" + topology + "_" + heads.front();
  std::replace(name.begin(), name.end(), ':', '-');
  std::string directory = directory_.Path(name);
  const auto emitter = MakeEmitterFor("cpu");
  EXPECT_TRUE(emitter);
  pack::PackOptions options{.topology = topology, .heads = heads, .replace = true};
  options.most_directions = most_directions;
  const auto packed = pack::Pack(file_, directory, options, emitter->get());
  EXPECT_TRUE(packed) << packed.error().message;
  return directory;
}

std::unique_ptr<OpenedModel> OpenPackage(const std::string& directory, const Machine& machine) {
  EngineOptions options;
  options.threads = machine.threads;
  options.instruction_set = machine.instruction_set;
  options.head = machine.head;
  auto model = OpenPackage(directory, options);
  EXPECT_TRUE(model) << model.error().message;
  // Done before a test counts allocations. Some damage a package on purpose.
  if (model) static_cast<void>(CheckIntegrity(**model, true));
  return model ? *std::move(model) : nullptr;
}

std::vector<std::string> InstructionSets() {
  std::vector<std::string> names;
  for (const kernels::KernelSet* set : kernels::SupportedSets()) {
    if (set != nullptr) names.emplace_back(set->name);
  }
  return names;
}

std::unique_ptr<Session> NewSession(const OpenedModel& model, SessionOptions options) {
  auto session = Session::Create(model.executor, std::move(options));
  EXPECT_TRUE(session) << session.error().message;
  return session ? *std::move(session) : nullptr;
}

std::unique_ptr<Session> NewSession(const OpenedModel& model, int64_t capacity_tokens) {
  return NewSession(model, SessionOptions{.capacity_tokens = capacity_tokens, .sampling = {}});
}

std::vector<int32_t> TestIds(int64_t count, int64_t vocab_size) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * i * 31 + i * 7 + 3) % vocab_size));
  return ids;
}

std::vector<float> AppendForLogits(Session* session, std::span<const int32_t> ids) {
  std::vector<float> all;
  int64_t next = static_cast<int64_t>(session->Tokens().size());
  const auto done =
      session->AppendWithLogits(ids, [&](int64_t position, std::span<const float> logits) {
        EXPECT_EQ(position, next++);
        all.insert(all.end(), logits.begin(), logits.end());
      });
  EXPECT_TRUE(done) << done.error().message;
  return all;
}

std::vector<float> TeacherForced(const OpenedModel& model, std::span<const int32_t> ids,
                                 int64_t piece, KvType kv) {
  const auto session = NewSession(
      model, {.capacity_tokens = static_cast<int64_t>(ids.size()), .kv = kv, .sampling = {}});
  if (piece == 0) return AppendForLogits(session.get(), ids);
  std::vector<float> all;
  for (size_t begin = 0; begin < ids.size(); begin += static_cast<size_t>(piece)) {
    const size_t count = std::min(static_cast<size_t>(piece), ids.size() - begin);
    const std::vector<float> logits = AppendForLogits(session.get(), ids.subspan(begin, count));
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

void ExpectSameLogits(const TestModel& model, std::span<const Way> ways,
                      std::span<const int32_t> ids, std::span<const float> expected, KvType kv) {
  for (const Way& way : ways) {
    const auto opened = OpenPackage(model.Pack(way.topology, {way.head}), {.threads = way.threads});
    EXPECT_TRUE(SameBits(TeacherForced(*opened, ids, way.piece, kv), expected)) << way.topology;
  }
}

std::vector<float> LastLogits(Session* session) {
  const auto logits = session->Logits();
  EXPECT_TRUE(logits) << logits.error().message;
  return logits ? std::vector<float>(logits->begin(), logits->end()) : std::vector<float>();
}

bool SameBits(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  EXPECT_FALSE(a.empty());
  if (a.size() != b.size() || a.empty()) return false;
  size_t different = 0;
  size_t first = 0;
  for (size_t i = a.size(); i-- > 0;) {
    if (std::bit_cast<uint32_t>(a[i]) == std::bit_cast<uint32_t>(b[i])) continue;
    ++different;
    first = i;
  }
  if (different == 0) return true;
  ADD_FAILURE() << different << " of " << a.size() << " values differ, first " << first << ": "
                << a[first] << " and " << b[first];
  return false;
}

}  // namespace headway::parity
