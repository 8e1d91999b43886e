#include "device/coreml/place/predict.h"

#include <gtest/gtest.h>

#include <set>

#include "device/coreml/ir/builder.h"
#include "device/coreml/shards/head_shard.h"
#include "device/coreml/shards/layer_shard.h"

namespace headway::mil {
namespace {

// Phi-4-mini at its real sizes, without weights.
LayerShardSpec PhiLayers(int num_layers, WeightFormat weights = {}) {
  LayerShardSpec spec;
  spec.hidden_size = 3072;
  spec.num_heads = 24;
  spec.num_kv_heads = 8;
  spec.head_dim = 128;
  spec.rotary_dims = 96;
  spec.intermediate_size = 8192;
  spec.num_layers = num_layers;
  spec.max_seq = 512;
  spec.weights = weights;
  return spec;
}

HeadShardSpec PhiHead(int64_t ways, HeadForm form) {
  HeadShardSpec spec;
  spec.hidden_size = 3072;
  spec.vocab_end = 200064 / ways;
  spec.form = form;
  return spec;
}

PlacementReport Predict(const Shard& shard, const PlacementOptions& options = {}) {
  auto report = PredictPlacement(shard.model.program.functions.at("main"), options);
  EXPECT_TRUE(report.has_value()) << report.error().message;
  return *std::move(report);
}

Shard Layers(const LayerShardSpec& spec) {
  PhantomBlobs blobs;
  auto shard = BuildLayerShard(spec, {}, &blobs);
  EXPECT_TRUE(shard.has_value()) << shard.error().message;
  return *std::move(shard);
}

Shard Head(const HeadShardSpec& spec) {
  PhantomBlobs blobs;
  const std::vector<float> gain(static_cast<size_t>(spec.hidden_size), 1.0F);
  auto shard = BuildHeadShard(spec, gain, {}, &blobs);
  EXPECT_TRUE(shard.has_value()) << shard.error().message;
  return *std::move(shard);
}

std::set<std::string> OpsOnCpu(const PlacementReport& report) {
  std::set<std::string> types;
  for (const PlacedOp& op : report.ops) {
    if (op.device == Device::kCpu) types.insert(op.type);
  }
  return types;
}

TEST(Placement, PublishedOutcome_HeadsOf3_4_8Ways_AreResident) {
  for (const int64_t ways : {3, 4, 8}) {
    const PlacementReport report = Predict(Head(PhiHead(ways, HeadForm::kFull)));
    EXPECT_TRUE(report.FullyResident()) << ways << "\n" << PrintPlacement(report);
    EXPECT_EQ(report.histogram.num_compute, 8);
    EXPECT_EQ(report.convs_on_engine, 1);
  }
}

TEST(Placement, PublishedOutcome_Top1Head_IsNot) {
  const PlacementReport report = Predict(Head(PhiHead(4, HeadForm::kTop1)));
  EXPECT_EQ(report.histogram.num_compute, 11);
  EXPECT_EQ(report.compute_on_engine, 9);
  EXPECT_EQ(OpsOnCpu(report), (std::set<std::string>{"cast", "topk"}));
}

TEST(Placement, OtherHeadKinds_UseNoOpThatIsKnownToLeave) {
  EXPECT_TRUE(Predict(Head(PhiHead(4, HeadForm::kBlockMax))).FullyResident());
  EXPECT_TRUE(Predict(Head(PhiHead(4, HeadForm::kTop1F16))).FullyResident());
}

TEST(Placement, PublishedOutcome_20LayersYes_24No) {
  for (const int layers : {1, 2, 4, 6, 16, 20}) {
    const PlacementReport report = Predict(Layers(PhiLayers(layers)));
    EXPECT_TRUE(report.FullyResident()) << layers << "\n" << PrintPlacement(report);
    EXPECT_EQ(report.compute_on_engine, 149 * layers + 3);
    EXPECT_EQ(report.convs_on_engine, 4 * layers);
  }
  const PlacementReport report = Predict(Layers(PhiLayers(24)));
  EXPECT_EQ(report.compute_on_engine, 0);
  EXPECT_EQ(report.convs_on_engine, 0);
  EXPECT_EQ(report.histogram.num_convs, 96);
  EXPECT_EQ(report.program_reasons, (std::vector<std::string>{"size-macos"}));
}

TEST(Placement, PublishedOutcome_Int4Blocks_AreNot_TablesAre) {
  const PlacementReport int4 = Predict(Layers(PhiLayers(2, {.kind = WeightKind::kInt4Blockwise})));
  EXPECT_EQ(int4.convs_on_engine, 0);
  EXPECT_EQ(OpsOnCpu(int4), (std::set<std::string>{"conv"}));
  const PlacementReport lut = Predict(Layers(PhiLayers(2, {.kind = WeightKind::kLut})));
  EXPECT_TRUE(lut.FullyResident());
}

TEST(Placement, DmaNotch_WarnsWhereTheSourceSays) {
  const auto notched = [](const WeightFormat& format) {
    std::set<std::string> names;
    for (const PlacedOp& op : Predict(Layers(PhiLayers(1, format))).ops) {
      for (const std::string& id : op.warnings) {
        if (id == "dma-notch") names.insert(op.name);
      }
    }
    return names;
  };
  EXPECT_EQ(notched({.kind = WeightKind::kF16}), (std::set<std::string>{"l0_down", "l0_gate_up"}));
  EXPECT_EQ(notched({.kind = WeightKind::kInt8PerChannel}), (std::set<std::string>{"l0_gate_up"}));
}

TEST(Placement, IosRules_LookAtStatesAndSize) {
  const PlacementReport mac = Predict(Layers(PhiLayers(2)));
  EXPECT_TRUE(mac.program_warnings.empty()) << PrintPlacement(mac);
  const PlacementReport phone = Predict(Layers(PhiLayers(2)), {.platform = Platform::kIos});
  EXPECT_EQ(phone.program_warnings, (std::vector<std::string>{"states-ios"}));
  EXPECT_FALSE(Predict(Layers(PhiLayers(20)), {.platform = Platform::kIos}).FullyResident());
}

TEST(Placement, Fp32AndIntegers_LeaveTheEngine) {
  FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", DType::kF32, {4});
  f.Output(f.Op("relu", "y", {{"x", {x}}}));
  const auto function = f.Finish();
  const auto report = PredictPlacement(*function, {});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->ops[0].reasons, (std::vector<std::string>{"not-fp16"}));
}

TEST(Placement, Reports_AreLabelledPredicted) {
  const PlacementReport report = Predict(Head(PhiHead(4, HeadForm::kTop1)));
  EXPECT_EQ(PrintPlacement(report).rfind("predicted placement: 9 of 11 compute ops", 0), 0U);
  EXPECT_NE(FormatPlacementJson(report).find("\"basis\": \"predicted\""), std::string::npos);
  EXPECT_NE(FormatPlacementJson(report).find("\"op\": \"ios18.topk\""), std::string::npos);
}

TEST(PlacementRules, BuiltIn_ParseAndAreUnique) {
  std::set<std::string> ids;
  for (const PlacementRule& rule : BuiltInPlacementRules())
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
  EXPECT_GE(ids.size(), 20U);
}

TEST(PlacementRules, Mistakes_AreNamed) {
  const auto error = [](const std::string& rule) {
    const auto rules = ParsePlacementRules(R"({"schema": 1, "rules": [)" + rule + "]}");
    return rules ? std::string() : rules.error().message;
  };
  EXPECT_NE(error(R"({"id": "a", "when": {"opp": []}})").find("key 'opp' is unknown"),
            std::string::npos);
  EXPECT_NE(error(R"({"id": "a", "verdict": "gpu"})").find("unexpected value \"gpu\""),
            std::string::npos);
  EXPECT_NE(error(R"({"id": "a", "verdict": "cpu"})").find("expected id, confidence"),
            std::string::npos);
  EXPECT_FALSE(ParsePlacementRules("[]").has_value());
}

}  // namespace
}  // namespace headway::mil
