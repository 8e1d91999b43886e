#include <gtest/gtest.h>

#include <set>

#include "device/coreml/ir/builder.h"
#include "device/coreml/place/predict_fixture.h"

namespace headway::mil {
namespace {

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
  EXPECT_EQ(mac.program_warnings, (std::vector<std::string>{"last-axis-width"}));
  const PlacementReport phone = Predict(Layers(PhiLayers(2)), {.platform = Platform::kIos});
  EXPECT_EQ(phone.program_warnings, (std::vector<std::string>{"last-axis-width", "states-ios"}));
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
  EXPECT_EQ(PrintPlacement(report).rfind("predicted placement, contested: 9 of 11 compute ops", 0),
            0U);
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
    const auto rules = ParsePlacementRules(R"({"schema": 2, "rules": [)" + rule + "]}");
    return rules ? std::string() : rules.error().message;
  };
  EXPECT_NE(error(R"({"id": "a", "when": {"opp": []}})").find("key 'opp' is unknown"),
            std::string::npos);
  EXPECT_NE(error(R"({"id": "a", "verdict": "gpu"})").find("unexpected value \"gpu\""),
            std::string::npos);
  EXPECT_NE(error(R"({"id": "a", "verdict": "cpu"})").find("expected id, verdict, certainty"),
            std::string::npos);
  const std::string contested = R"({"id": "a", "certainty": "contested", "for": [
      {"evidence": "x", "source": "y"}], "verdict": )";
  EXPECT_NE(error(contested + R"("unknown"})").find("expected what speaks against it"),
            std::string::npos);
  EXPECT_NE(error(contested + R"("cpu", "against": [{"evidence": "x", "source": "y"}]})")
                .find("no verdict of cpu"),
            std::string::npos);
  EXPECT_FALSE(ParsePlacementRules("[]").has_value());
}

}  // namespace
}  // namespace headway::mil
