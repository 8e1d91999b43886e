// Seeded faults of Core ML packages: residency as predicted off a Mac, stored rows as decoded.

#include <gtest/gtest.h>

#include <filesystem>
#include <utility>

#include "base/file_tree.h"
#include "base/file_writer.h"
#include "base/mapped_file.h"
#include "device/coreml/package/package.h"
#include "device/coreml/package/proto/model_proto.h"
#include "faulty_package.h"
#include "gates/gate.h"
#include "gguf/gguf_file.h"
#include "model_fixture.h"
#include "pack/pack.h"
#include "pack/record_goldens.h"
#include "stored_fault.h"

namespace headway::gate_test {
namespace {

class CoremlFaults : public testing::Test {
 protected:
  gates::GateReport Gate(const std::string& weights, const std::string& head,
                         const StoredFault& fault = {}) {
    DeviceOptions device;
    device.weights = weights;
    auto emitter = MakeEmitterFor("coreml", device);
    EXPECT_TRUE(emitter) << emitter.error().message;
    const auto faulty = WithFault(*std::move(emitter), fault);
    pack::PackOptions options{.topology = "1", .heads = {head}};
    options.max_seq = 64;
    options.replace = true;
    options.goldens = pack::GoldenOptions{.max_tokens = 12};
    const auto packed = pack::Pack(model_.File(), model_.Path("package"), options, faulty.get());
    EXPECT_TRUE(packed) << packed.error().message;
    return RunAll();
  }
  gates::GateReport RunAll() const {
    const auto report = gates::RunGates(model_.Path("package"), {.threads = 1});
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(gates::GateReport{});
  }
  static const GateRecord& Record(const gates::GateReport& report, const std::string& gate) {
    static const GateRecord none;
    for (const GateRecord& record : report.records)
      if (record.gate == gate) return record;
    return none;
  }
  // Arithmetic failed, alone of what was asked, with these words.
  static void ExpectArithmetic(const gates::GateReport& report,
                               const std::vector<std::string>& parts) {
    for (const GateRecord& record : report.records)
      EXPECT_EQ(!record.Failed(), record.gate != "arithmetic") << record.gate << record.detail;
    const std::string& detail = Record(report, "arithmetic").detail;
    for (const std::string& part : parts)
      EXPECT_NE(detail.find(part), std::string::npos) << part << " in: " << detail;
  }

  const parity::TestModel model_{"tiny-phi", "q8_0"};
};

constexpr const char* kShard = "layers_001_002.mlpackage";
constexpr const char* kDown = "blk.1.ffn_down.weight";

TEST_F(CoremlFaults, None_PassesAsPredictedAndInterpreted) {
  const gates::GateReport report = Gate("fp16", "full:2");
  EXPECT_TRUE(report.Passed()) << gates::ToText(report);
  EXPECT_EQ(Record(report, "residency").basis, "predicted");
  // Keys and values are written inside the program, which worked on one Mac and not on another: no
  // pass, and no failure.
  EXPECT_FALSE(Record(report, "residency").passed);
  EXPECT_TRUE(Record(report, "residency").contested);
  EXPECT_NE(Record(report, "residency").detail.find("rule state-writes"), std::string::npos);
  EXPECT_NE(gates::ToText(report).find("residency: predicted, contested: "), std::string::npos);
  const auto manifest = OpenManifest(model_.Path("package"), false);
  ASSERT_TRUE(manifest);
  EXPECT_TRUE(manifest->gates.front().contested);
  EXPECT_TRUE(gates::CheckRecords(*manifest, "package", KvType::kF16).value_or(false));
  EXPECT_EQ(Record(report, "arithmetic").basis, "interpreted");
}

// What is stored is computed, but it is another model.
TEST_F(CoremlFaults, CoarseTables_Quality) {
  const gates::GateReport report = Gate("lut1", "full:2");
  EXPECT_FALSE(Record(report, "arithmetic").Failed());
  EXPECT_TRUE(Record(report, "quality").Failed()) << gates::ToText(report);
}

TEST_F(CoremlFaults, Int4InBlocks_Residency) {
  const gates::GateReport report = Gate("int4-blockwise", "full:2");
  EXPECT_FALSE(Record(report, "residency").passed);
  EXPECT_NE(Record(report, "residency").detail.find("int4-blocks"), std::string::npos)
      << Record(report, "residency").detail;
  // The oracle reads the same coarse weights: as arithmetic there is nothing wrong with them.
  EXPECT_TRUE(Record(report, "arithmetic").passed) << Record(report, "arithmetic").detail;
}

// Every format that a package may store rows in stays inside the limits for stored rows.
TEST_F(CoremlFaults, NoneInAnyFormat_StoredRowsPass) {
  for (const char* weights : {"fp16", "int8", "lut8", "lut6", "lut4", "lut3", "lut2", "lut1"}) {
    const gates::GateReport report = Gate(weights, "full:2");
    EXPECT_TRUE(Record(report, "arithmetic").passed) << gates::ToText(report);
    int compared = 0;
    for (const gates::Check& check : report.arithmetic)
      compared += check.subject.find("stored rows") == std::string::npos ? 0 : 1;
    EXPECT_EQ(compared, 4) << weights;  // two layers, two parts of the head
  }
}

TEST_F(CoremlFaults, OneChannelsScaleOffByOnePercent_Arithmetic) {
  for (const char* weights : {"fp16", "int8"}) {
    ExpectArithmetic(Gate(weights, "full:2", {kShard, kDown, 64, ScaleOneRow}),
                     {kShard, "stored rows", kDown, "channel 81:", "norm"});  // 64 + 17
    ExpectArithmetic(Gate(weights, "full:2",
                          {"head_full_2_01.mlpackage", "token_embd.weight", 160, ScaleOneRow}),
                     {"head_full_2_01.mlpackage", "token_embd.weight", "channel 17:", "norm"});
  }
}

TEST_F(CoremlFaults, OneTransposedTile_Arithmetic) {
  for (const char* weights : {"fp16", "int8"})
    ExpectArithmetic(Gate(weights, "full:2", {kShard, kDown, 0, TransposeTile}),
                     {kShard, "stored rows", kDown, "channel"});
}

TEST_F(CoremlFaults, OneNan_Arithmetic) {
  ExpectArithmetic(Gate("fp16", "full:2", {kShard, kDown, 0, PutNan}),
                   {kShard, "stored rows", kDown, "1 with NaN"});
}

// Both packages take and give the same channels, and every digest is right.
TEST_F(CoremlFaults, OneShardSwapped_Arithmetic) {
  Gate("int8", "full:2");
  const auto swap = [this](const auto& edit) {
    auto manifest = OpenManifest(model_.Path("package"), false);
    ASSERT_TRUE(manifest);
    edit(&*manifest);
    manifest->gates.clear();
    ASSERT_TRUE(WriteTextFileAtomically(model_.Path("package/manifest.json"), ToJson(*manifest)));
  };
  swap([](Manifest* m) { std::swap(m->layers[0].file, m->layers[1].file); });
  ExpectArithmetic(RunAll(), {kShard, "expected layers [0, 1), found [1, 2)"});
  // The weights alone: each program says that it is the right one.
  swap([this](Manifest* m) {
    std::swap(m->layers[0].file, m->layers[1].file);
    const auto weights_of = [this](const LayerShard& shard) {
      return model_.Path("package/" + shard.file.path +
                         "/Data/com.apple.CoreML/weights/weight.bin");
    };
    std::filesystem::rename(weights_of(m->layers[0]), model_.Path("aside"));
    std::filesystem::rename(weights_of(m->layers[1]), weights_of(m->layers[0]));
    std::filesystem::rename(model_.Path("aside"), weights_of(m->layers[1]));
    for (LayerShard& shard : m->layers) {
      const TreeDigest tree = *DigestTree(model_.Path("package/" + shard.file.path));
      shard.file.digest = tree.digest;
      shard.file.blocks = tree.blocks;
    }
  });
  ExpectArithmetic(RunAll(), {"layers_000_001.mlpackage", "stored rows", "expected rows in int8"});
}

// Two ops more in a program, whose result nothing reads: an infinity that no output shows.
TEST_F(CoremlFaults, AnInfinityBetweenOps_Arithmetic) {
  Gate("fp16", "full:2");
  const std::string package = model_.Path("package/") + kShard;
  auto read = mil::ReadPackage(package);
  ASSERT_TRUE(read) << read.error().message;
  mil::Function& main = read->model.program.functions.at("main");
  auto& operations = main.specializations.at(main.opset).operations;
  const mil::Type type = main.inputs.front().type;
  std::string factor = main.inputs.front().name;
  for (const char* name : {"large", "larger"}) {
    operations.push_back({.type = "mul",
                          .inputs = {{"x", {factor}}, {"y", {mil::HalfConstant(65504)}}},
                          .outputs = {{name, type}},
                          .attributes = {{"name", mil::StringConstant(name)}},
                          .blocks = {}});
    factor = name;
  }
  const auto bytes = mil::EncodeModel(read->model);
  ASSERT_TRUE(bytes) << bytes.error().message;
  ASSERT_TRUE(WriteTextFileAtomically(package + "/Data/com.apple.CoreML/model.mlmodel", *bytes));
  const auto tree = DigestTree(package);
  ASSERT_TRUE(tree);
  const auto text = ReadTextFile(model_.Path("package/manifest.json"), 1 << 20);
  ASSERT_TRUE(text);
  auto manifest = ManifestFromJson(*text, "manifest.json");
  ASSERT_TRUE(manifest) << manifest.error().message;
  manifest->layers[1].file.bytes = tree->bytes;
  manifest->layers[1].file.digest = tree->digest;
  ASSERT_TRUE(WriteTextFileAtomically(model_.Path("package/manifest.json"), ToJson(*manifest)));
  ExpectArithmetic(RunAll(), {kShard, "values between ops", "op 'mul' (name 'large"});
}

// Goldens of before there were norms: everything else is compared, and the report says what is not.
TEST_F(CoremlFaults, GoldensWithoutNorms_AreReadAndSaidToBeOlder) {
  Gate("int8", "full:2");
  auto goldens = ReadGoldens(model_.Path("package/goldens.bin"));
  ASSERT_TRUE(goldens) << goldens.error().message;
  EXPECT_TRUE(goldens->HasRowNorms());
  for (ProductGolden& product : goldens->products) product.norms.clear();
  const auto opened = parity::OpenPackage(model_.Path("package"));
  ASSERT_NE(opened, nullptr);
  const auto report = gates::RunGatesOn(opened.get(), {}, &*goldens);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(Record(*report, "arithmetic").passed);
  EXPECT_NE(Record(*report, "arithmetic").detail.find("stored rows not compared"),
            std::string::npos);
}

// The program's own oracle rotates as the program does; the straight line read the model file.
TEST_F(CoremlFaults, FullInsteadOfPartialRotary_Quality) {
  CopyWithRotary(model_.File(), model_.Path("right.gguf"), 48);
  CopyWithRotary(model_.File(), model_.Path("wrong.gguf"), 64);
  for (const char* file : {"right.gguf", "wrong.gguf"}) {
    const auto emitter = MakeEmitterFor("coreml", {});
    ASSERT_TRUE(emitter) << emitter.error().message;
    pack::PackOptions options{.topology = "1", .heads = {"full:2"}};
    options.max_seq = 64;
    options.replace = true;
    options.goldens = pack::GoldenOptions{.reference = model_.Path("right.gguf"), .max_tokens = 24};
    const auto packed =
        pack::Pack(model_.Path(file), model_.Path("package"), options, emitter->get());
    ASSERT_TRUE(packed) << packed.error().message;
    const gates::GateReport report = RunAll();
    const bool right = std::string(file) == "right.gguf";
    for (const GateRecord& record : report.records)
      EXPECT_EQ(!record.Failed(), right || record.gate != "quality")
          << record.gate << record.detail;
    EXPECT_EQ(Record(report, "quality").gate, "quality");
  }
}

TEST_F(CoremlFaults, TopkInTheHead_Residency) {
  const gates::GateReport report = Gate("fp16", "top1:1");
  const GateRecord& residency = Record(report, "residency");
  EXPECT_FALSE(residency.passed);
  EXPECT_EQ(residency.detail.rfind("2 of ", 0), 0U) << residency.detail;
  EXPECT_NE(residency.detail.find("topk"), std::string::npos) << residency.detail;
  EXPECT_TRUE(Record(report, "arithmetic").passed) << Record(report, "arithmetic").detail;
  EXPECT_TRUE(Record(report, "quality").passed) << Record(report, "quality").detail;
}

}  // namespace
}  // namespace headway::gate_test
