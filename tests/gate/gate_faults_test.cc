// Seeded faults: every comparison of the gates can fail, and the one that should does.

#include <gtest/gtest.h>

#include <limits>

#include "base/file_writer.h"
#include "faulty_package.h"
#include "gates/gate.h"
#include "kernels/reference/reference.h"

namespace headway::gate_test {
namespace {

class GateFaults : public testing::Test {
 protected:
  // Packs with the fault and runs all gates.
  gates::GateReport Gate(const Fault& fault, const std::string& type = "q8_0") {
    if (!models_.count(type))
      models_.emplace(type, std::make_unique<parity::TestModel>("tiny-phi", type));
    const std::string& file = models_.at(type)->File();
    PackWith(fault, file, file, directory_.Path("package"));
    return RunAll();
  }
  gates::GateReport RunAll() const {
    const auto report = gates::RunGates(directory_.Path("package"), {.threads = 1});
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(gates::GateReport{});
  }
  // The gates that failed, and what the first of them says.
  static std::string Failed(const gates::GateReport& report) {
    std::string names;
    for (const GateRecord& record : report.records)
      if (!record.passed) names += (names.empty() ? "" : " ") + record.gate;
    return names;
  }
  static std::string Detail(const gates::GateReport& report, const std::string& gate) {
    for (const GateRecord& record : report.records)
      if (record.gate == gate) return record.detail;
    return "";
  }
  static void ExpectSays(const std::string& text, const std::vector<std::string>& parts) {
    for (const std::string& part : parts)
      EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  }

  parity::TemporaryDirectory directory_;
  std::map<std::string, std::unique_ptr<parity::TestModel>> models_;
};

constexpr const char* kCpuShard = "layers_001_002.shard";
constexpr const char* kDownProjection = "blk.1.ffn_down.weight";

TEST_F(GateFaults, None_AllGatesPass) {
  for (const std::string type : {"f32", "f16", "q8_0", "q4_0", "q4_k_m"}) {
    parity::TestModel model("tiny-phi", type);
    PackWith({}, model.File(), model.File(), model.Path("package"));
    const auto report = gates::RunGates(model.Path("package"), {.threads = 1});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(Failed(*report), "") << type << "\n" << gates::ToText(*report);
    EXPECT_EQ(report->records.size(), 4U);
  }
}

TEST_F(GateFaults, OneTransposedTile_Arithmetic) {
  const Fault fault{
      .shard = kCpuShard, .weight = kDownProjection, .tile = 2, .edit = [](auto* v, int64_t n) {
        for (int64_t r = 0; r < 64; ++r)
          for (int64_t c = r + 1; c < 64; ++c)
            std::swap((*v)[static_cast<size_t>(r * n + c)], (*v)[static_cast<size_t>(c * n + r)]);
      }};
  const gates::GateReport report = Gate(fault);
  EXPECT_EQ(Failed(report), "arithmetic");
  ExpectSays(Detail(report, "arithmetic"), {kCpuShard, kDownProjection, "channel"});
}

TEST_F(GateFaults, OneNan_Arithmetic) {
  const Fault fault{
      .shard = kCpuShard, .weight = kDownProjection, .tile = 1, .edit = [](auto* v, int64_t) {
        (*v)[5] = std::numeric_limits<float>::quiet_NaN();
      }};
  const gates::GateReport report = Gate(fault, "f32");
  EXPECT_EQ(Failed(report), "arithmetic");
  ExpectSays(Detail(report, "arithmetic"), {kCpuShard, kDownProjection, "NaN"});
}

// Both shards take and give the same channels, and every digest is right.
TEST_F(GateFaults, OneShardSwapped_Arithmetic) {
  Gate({});
  const std::string package = directory_.Path("package");
  auto manifest = OpenManifest(package, false);
  ASSERT_TRUE(manifest);
  std::swap(manifest->layers[0].file, manifest->layers[1].file);
  manifest->gates.clear();
  ASSERT_TRUE(WriteTextFileAtomically(package + "/manifest.json", ToJson(*manifest)));
  const gates::GateReport report = RunAll();
  EXPECT_EQ(Failed(report), "arithmetic");
  ExpectSays(Detail(report, "arithmetic"), {"layers_00", "channel"});
}

TEST_F(GateFaults, OneChannelsScaleOffByOnePercent_Arithmetic) {
  constexpr int64_t kRow = 17;
  const Fault fault{
      .shard = kCpuShard, .weight = kDownProjection, .tile = 3, .edit = [](auto* v, int64_t n) {
        for (int64_t c = 0; c < n; ++c) (*v)[static_cast<size_t>(kRow * n + c)] *= 1.01F;
      }};
  const gates::GateReport report = Gate(fault);
  EXPECT_EQ(Failed(report), "arithmetic");
  ExpectSays(Detail(report, "arithmetic"),
             {kCpuShard, kDownProjection, "channel 209:"});  // 3 * 64 + 17
}

TEST_F(GateFaults, OneChannelOfTheHeadOffByOnePercent_Arithmetic) {
  const Fault fault{.shard = "head_full_2_01.shard",
                    .weight = "token_embd.weight",
                    .tile = 0,
                    .edit = [](auto* v, int64_t n) {
                      for (int64_t c = 0; c < n; ++c) (*v)[static_cast<size_t>(c)] *= 1.01F;
                    }};
  const gates::GateReport report = Gate(fault);
  EXPECT_EQ(Failed(report), "arithmetic");
  ExpectSays(Detail(report, "arithmetic"), {"head_full_2_01.shard", "channel 0:"});
}

// A graph that rotates all 64 channels of a head instead of 48 agrees with itself everywhere: its
// own oracle passes it. Only the straight line, which read the model file, knows better, whichever
// way the keys and values are kept.
TEST_F(GateFaults, FullInsteadOfPartialRotary_Quality) {
  const parity::TestModel model("tiny-phi", "q8_0");
  CopyWithRotary(model.File(), model.Path("right.gguf"), 48);
  CopyWithRotary(model.File(), model.Path("wrong.gguf"), 64);
  PackWith({}, model.Path("right.gguf"), model.Path("right.gguf"), directory_.Path("package"));
  EXPECT_EQ(Failed(RunAll()), "");
  PackWith({}, model.Path("wrong.gguf"), model.Path("right.gguf"), directory_.Path("wrong"));
  const auto report = gates::RunGates(directory_.Path("wrong"), {.threads = 1});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(Failed(*report), "quality quality-kv-q8_0") << gates::ToText(*report);
}

// The reference kernel gives the same bits, so no golden can see it.
TEST_F(GateFaults, OneOpForcedToTheReferenceKernel_Residency) {
  Gate({});
  const auto model = parity::OpenPackage(directory_.Path("package"));
  ASSERT_NE(model, nullptr);
  if (model->kernels->kernels.name == "reference") GTEST_SKIP() << "this machine has no other";
  const auto goldens = ReadGoldens(directory_.Path("package/goldens.bin"));
  ASSERT_TRUE(goldens) << goldens.error().message;
  const auto run = [&] { return *gates::RunGatesOn(model.get(), {}, &*goldens); };
  EXPECT_EQ(Failed(run()), "");
  model->kernels->kernels.attention = kernels::reference::Set().attention;
  model->kernels->served.push_back({.field = "attention", .index = 0, .set = "reference"});
  const gates::GateReport attention = run();
  EXPECT_EQ(Failed(attention), "residency");
  ExpectSays(Detail(attention, "residency"), {"2 of", "attention", "layers_000_001.shard"});
  const auto q8_0 = static_cast<size_t>(DataType::kQ8_0);
  model->kernels->kernels.matmul[q8_0] = kernels::reference::Set().matmul[q8_0];
  model->kernels->served.push_back({.field = "matmul", .index = q8_0, .set = "reference"});
  EXPECT_EQ(Failed(run()), "residency");
}

// Keys stored one position too far in Q8_0: sessions in F16 do not see it.
TEST_F(GateFaults, MisplacedKeysInQ8_QualityOfQ8Kv) {
  Gate({});
  const auto model = parity::OpenPackage(directory_.Path("package"));
  ASSERT_NE(model, nullptr);
  const auto goldens = ReadGoldens(directory_.Path("package/goldens.bin"));
  ASSERT_TRUE(goldens) << goldens.error().message;
  auto& store = model->kernels->kernels.store_kv[static_cast<size_t>(KvType::kQ8_0)];
  store = [](const float* k, const float* v, int64_t head_dim, int64_t position, std::byte* keys,
             std::byte* values) {
    kernels::reference::StoreKvQ8(k, v, head_dim, position ^ 1, keys, values);
  };
  const gates::GateReport report = *gates::RunGatesOn(model.get(), {}, &*goldens);
  EXPECT_EQ(Failed(report), gates::kQ8KvGate);
}

TEST_F(GateFaults, ReferenceKernelsAskedFor_Residency) {
  Gate({});
  const auto report = gates::RunGates(directory_.Path("package"),
                                      {.golden = false, .instruction_set = "reference"});
  ASSERT_TRUE(report);
  EXPECT_EQ(Failed(*report), "residency");
}

}  // namespace
}  // namespace headway::gate_test
