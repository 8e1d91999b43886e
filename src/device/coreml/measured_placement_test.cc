#include "device/coreml/measured_placement.h"

#include <gtest/gtest.h>

#include "device/coreml/ir/builder.h"

namespace headway::coreml {
namespace {

// A product, an addition and a state's update.
mil::Function SmallFunction() {
  mil::FunctionBuilder f("CoreML8");
  const std::string x = f.Input("x", mil::DType::kF16, {1, 64, 1, 1});
  const std::string state = f.State("cache", mil::DType::kF16, {1, 64, 1, 1});
  const std::string old = f.Op("read_state", "old", {{"input", {state}}});
  const std::string sum = f.Op("add", "sum", {{"x", {x}}, {"y", {old}}});
  f.Op("write_state", "update", {{"input", {state}}, {"data", {sum}}});
  f.Output(f.Op("matmul", "product",
                {{"x", {sum}}, {"y", {sum}}, {"transpose_y", {mil::BoolConstant(true)}}}));
  auto function = f.Finish();
  EXPECT_TRUE(function.has_value()) << function.error().message;
  return *std::move(function);
}

mil::PlacementReport Predicted(const mil::Function& function) {
  auto report = mil::PredictPlacement(function, {}, {});
  EXPECT_TRUE(report.has_value());
  return *report;
}

std::vector<MeasuredOp> AllOn(const std::string& where) {
  return {{"const", "some_axis", "", {}, {}},
          {"ios18.read_state", "old", where, {where}, 0.1},
          {"ios18.add", "sum", where, {where}, 0.2},
          {"ios18.write_state", "", where, {where}, 0.0},
          {"ios18.matmul", "product", where, {where}, 0.7}};
}

TEST(MeasuredPlacement, AllOnTheEngine_IsResidentAndHasNamesAndCosts) {
  const mil::Function function = SmallFunction();
  const Residency residency =
      MeasuredResidency(function, Predicted(function), AllOn("neural engine"));
  EXPECT_EQ(residency.basis, "measured");
  ASSERT_EQ(residency.ops.size(), 4U);
  EXPECT_TRUE(residency.warnings.empty());
  EXPECT_EQ(residency.ops[2].name, "update");
  EXPECT_EQ(residency.ops[3].op, "ios18.matmul");
  EXPECT_EQ(residency.ops[3].cost, 0.7);
  for (const OpPlacement& op : residency.ops) {
    EXPECT_TRUE(op.counts && op.resident) << op.name;
    EXPECT_EQ(op.predicted, "neural engine");
  }
}

TEST(MeasuredPlacement, AnOpElsewhere_HasThePredictionBesideIt) {
  const mil::Function function = SmallFunction();
  std::vector<MeasuredOp> ops = AllOn("neural engine");
  ops[4].where = "gpu";
  ops[4].supported = {"gpu", "cpu"};
  const Residency residency = MeasuredResidency(function, Predicted(function), ops);
  EXPECT_FALSE(residency.ops[3].resident);
  EXPECT_EQ(residency.ops[3].predicted, "neural engine");
  EXPECT_EQ(residency.ops[3].reason, "Core ML prefers the gpu; it could run on: gpu, cpu");
}

TEST(MeasuredPlacement, SilenceCountsForProductsOnly_AndAPlanThatTellsNothingFails) {
  const mil::Function function = SmallFunction();
  std::vector<MeasuredOp> ops = AllOn("neural engine");
  ops[2].where = "";
  const Residency partly = MeasuredResidency(function, Predicted(function), ops);
  EXPECT_FALSE(partly.ops[1].counts);
  ASSERT_EQ(partly.warnings.size(), 1U);
  EXPECT_EQ(partly.warnings[0], "Core ML does not tell where 1 ops run");

  const Residency silent = MeasuredResidency(function, Predicted(function), AllOn(""));
  EXPECT_TRUE(silent.ops[3].counts);  // the product
  EXPECT_FALSE(silent.ops.back().resident);
  EXPECT_EQ(silent.ops.back().op, "program");
}

TEST(MeasuredPlacement, OpsThatAreMissingOrNew_AreNamed) {
  const mil::Function function = SmallFunction();
  std::vector<MeasuredOp> ops = AllOn("neural engine");
  ops.erase(ops.begin() + 2);
  ops.push_back({"ios18.cast", "fresh", "cpu", {"cpu"}, {}});
  const Residency residency = MeasuredResidency(function, Predicted(function), ops);
  ASSERT_EQ(residency.warnings.size(), 1U);
  EXPECT_EQ(residency.warnings[0],
            "1 ops of the package are not in Core ML's plan, the first: sum");
  EXPECT_EQ(residency.ops.back().name, "fresh");
  EXPECT_EQ(residency.ops.back().predicted, "");
  EXPECT_FALSE(residency.ops.back().resident);
}

}  // namespace
}  // namespace headway::coreml
