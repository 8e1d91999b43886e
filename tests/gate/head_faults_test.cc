// Seeded faults in heads: every kind of every device, each caught by the arithmetic gate alone.

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "base/file_writer.h"
#include "gates/gate.h"
#include "model_fixture.h"
#include "pack/pack.h"
#include "pack/record_goldens.h"
#include "stored_fault.h"

namespace headway::gate_test {
namespace {

struct HeadCase {
  std::string device;
  std::string head;
  std::string file;  // with rows of it; a coreml certified head multiplies the tied embedding's
};

class HeadFaults : public testing::TestWithParam<HeadCase> {
 protected:
  gates::GateReport Gate(const StoredFault& fault, const std::string& type = "q8_0") {
    const auto& [device, head, file] = GetParam();
    if (!models_.count(type))
      models_.emplace(type, std::make_unique<parity::TestModel>("tiny-phi", type));
    const std::string& model = models_.at(type)->File();
    DeviceOptions options_of_device;
    if (device == "coreml") options_of_device.weights = "fp16";
    auto emitter = MakeEmitterFor(device, options_of_device);
    EXPECT_TRUE(emitter) << emitter.error().message;
    const auto faulty = WithFault(*std::move(emitter), fault);
    pack::PackOptions options{.topology = "2", .heads = {head}};
    options.rotation_seed = 3;
    options.replace = true;
    if (device == "coreml") options.max_seq = 64;
    options.goldens = pack::GoldenOptions{.max_tokens = 12};
    const auto packed = pack::Pack(model, Package(), options, faulty.get());
    EXPECT_TRUE(packed) << packed.error().message;
    return RunAll();
  }
  gates::GateReport RunAll() const {
    const auto report = gates::RunGates(Package(), {.threads = 1});
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(gates::GateReport{});
  }
  std::string Package() const { return directory_.Path("package"); }
  StoredFault In(void (*edit)(std::span<float>, int64_t)) const {
    return {.shard = GetParam().file, .weight = "token_embd.weight", .first = 0, .edit = edit};
  }
  // Selection by `topk` is never resident on coreml.
  static bool LeavesTheDevice() {
    return GetParam().device == "coreml" && GetParam().head == "top1:2";
  }
  // Arithmetic failed, and nothing else that honest packages of this head pass.
  static void ExpectArithmetic(const gates::GateReport& report,
                               const std::vector<std::string>& parts) {
    std::string detail;
    for (const GateRecord& record : report.records) {
      const bool by_nature = record.gate == "residency" && LeavesTheDevice();
      EXPECT_TRUE(by_nature || !record.Failed() == (record.gate != "arithmetic"))
          << record.gate << ": " << record.detail;
      if (record.gate == "arithmetic") detail = record.detail;
    }
    for (const std::string& part : parts)
      EXPECT_NE(detail.find(part), std::string::npos) << part << " in: " << detail;
  }

  parity::TemporaryDirectory directory_;
  std::map<std::string, std::unique_ptr<parity::TestModel>> models_;
};

TEST_P(HeadFaults, OneTransposedTile_Arithmetic) {
  ExpectArithmetic(Gate(In(TransposeTile)), {"token_embd.weight", "expected"});
}

TEST_P(HeadFaults, OneNan_Arithmetic) {
  ExpectArithmetic(Gate(In(PutNan), "f32"), {"token_embd.weight", "NaN"});
}

TEST_P(HeadFaults, OneChannelsScaleOffByOnePercent_Arithmetic) {
  ExpectArithmetic(Gate(In(ScaleOneRow)), {"token_embd.weight", "channel 17:"});
}

// Both shards take and give as many channels, and every digest is right. Heads with planes know
// their rows: such a package does not even open.
TEST_P(HeadFaults, OneShardSwapped_Arithmetic) {
  EXPECT_EQ(Gate({}).Passed(), !LeavesTheDevice());
  auto manifest = OpenManifest(Package(), false);
  ASSERT_TRUE(manifest);
  std::vector<HeadShard>& shards = manifest->heads[0].shards;
  ASSERT_GE(shards.size(), 2U);
  std::swap(shards[0].file, shards[1].file);
  manifest->gates.clear();
  ASSERT_TRUE(WriteTextFileAtomically(Package() + "/manifest.json", ToJson(*manifest)));
  if (GetParam().head == "certified" || GetParam().head == "reduced:128") {
    const auto report = gates::RunGates(Package(), {.threads = 1});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(report.error().message.find("expected"), std::string::npos) << report.error().message;
    return;
  }
  // Shards without logits are compared by what they choose.
  const bool by_choices = GetParam().device == "cpu" && GetParam().head == "top1:2";
  ExpectArithmetic(RunAll(), {by_choices ? "head top1:2, 12 choices" : "head_"});
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, HeadFaults,
    testing::Values(HeadCase{"cpu", "full:2", "head_full_2_00.shard"},
                    HeadCase{"cpu", "top1:2", "head_top1_2_00.shard"},
                    HeadCase{"cpu", "blockmax:2", "head_blockmax_2_00.shard"},
                    HeadCase{"cpu", "certified", "head_certified_00.shard"},
                    HeadCase{"cpu", "reduced:128", "head_reduced_128_00.shard"},
                    HeadCase{"cpu", "reduced:128", "head_reduced_128_first.shard"},
                    HeadCase{"coreml", "full:2", "head_full_2_00.mlpackage"},
                    HeadCase{"coreml", "top1:2", "head_top1_2_00.mlpackage"},
                    HeadCase{"coreml", "blockmax:2", "head_blockmax_2_00.mlpackage"},
                    HeadCase{"coreml", "top1-fp16:2", "head_top1-fp16_2_00.mlpackage"},
                    HeadCase{"coreml", "certified", "embedding.gguf"}),
    [](const auto& one) {
      std::string name = one.param.device + one.param.file;
      std::erase_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
      return name;
    });

}  // namespace
}  // namespace headway::gate_test
