// The residency gate where placement is measured: strict, with the prediction beside it.

#include <gtest/gtest.h>

#include "apple_fixture.h"
#include "gates/gate.h"

namespace headway::apple_test {
namespace {

class AppleResidencyTest : public AppleTest {
 protected:
  gates::GateReport Gate(const standin::Behaviour& behaviour, bool golden = false,
                         const std::string& compute_units = "") const {
    const std::string package = StoryPackage({.heads = {"full:2"}, .goldens = true});
    standin::Behave(behaviour);
    const auto report = gates::RunGates(
        package, {.golden = golden, .record = false, .threads = 2, .compute_units = compute_units});
    EXPECT_TRUE(report.has_value()) << report.error().message;
    return report ? *report : gates::GateReport{};
  }
};

TEST_F(AppleResidencyTest, AllOnTheEngine_PassesMeasured_AndSoDoTheGoldens) {
  const gates::GateReport report = Gate({.seed = 4, .ignores_backings = 0.5, .pads = 0.5}, true);
  ASSERT_GE(report.records.size(), 3U);
  for (const GateRecord& record : report.records) {
    EXPECT_TRUE(record.passed) << record.gate << ": " << record.detail;
    EXPECT_EQ(record.basis, "measured") << record.gate;
  }
  EXPECT_EQ(report.kernels, "Core ML, cpu-and-neural-engine");
  EXPECT_NE(gates::ToText(report).find("ops as predicted"), std::string::npos)
      << gates::ToText(report);
}

TEST_F(AppleResidencyTest, AnOpOffTheEngine_FailsAndIsShownAgainstThePrediction) {
  const gates::GateReport report = Gate({.off_engine = {"softmax"}});
  ASSERT_EQ(report.records.size(), 1U);
  EXPECT_FALSE(report.records[0].passed);
  EXPECT_EQ(report.records[0].basis, "measured");
  EXPECT_NE(report.records[0].detail.find("ios18.softmax"), std::string::npos);
  EXPECT_NE(report.records[0].detail.find("Core ML prefers the cpu; it could run on: cpu"),
            std::string::npos);
  const std::string text = gates::ToText(report);
  EXPECT_NE(text.find("- predicted neural engine\n"), std::string::npos) << text;
  EXPECT_NE(text.find("+ measured cpu\n"), std::string::npos) << text;
}

TEST_F(AppleResidencyTest, FunctionsOfAPackage_AreMeasuredEach) {
  const auto ops_of = [](const std::string& widths) {
    const auto report =
        gates::RunGates(StoryPackage({.heads = {"full:2"}, .widths = widths, .goldens = true}),
                        {.golden = false, .record = false, .threads = 2, .compute_units = ""});
    EXPECT_TRUE(report.has_value() && report->records[0].passed);
    size_t ops = 0;
    if (!report) return ops;
    EXPECT_NE(gates::ToText(*report).find("ops as predicted"), std::string::npos);
    for (const gates::ShardPlacement& shard : report->residency) ops += shard.residency.ops.size();
    return ops;
  };
  EXPECT_EQ(ops_of("2,4"), 2 * ops_of("4"));
}

TEST_F(AppleResidencyTest, NoEngineAllowed_NothingIsResident) {
  const gates::GateReport report = Gate({}, false, "cpu-only");
  EXPECT_FALSE(report.records[0].passed);
  for (const gates::ShardPlacement& shard : report.residency) {
    for (const OpPlacement& op : shard.residency.ops) EXPECT_FALSE(op.resident) << op.name;
  }
}

TEST_F(AppleResidencyTest, APlanThatCannotBeHad_Fails) {
  const gates::GateReport report = Gate({.cannot_plan = ".mlmodelc"});
  EXPECT_FALSE(report.records[0].passed);
  EXPECT_EQ(report.records[0].basis, "measured");
  EXPECT_NE(report.records[0].detail.find("Core ML: could not plan: no plan for this model"),
            std::string::npos)
      << report.records[0].detail;
}

TEST_F(AppleResidencyTest, OpsThatThePlanDoesNotTellOf_AreSaidToBeSo) {
  const gates::GateReport report = Gate({.without_usage = {"read_state", "write_state"}});
  EXPECT_TRUE(report.records[0].passed) << report.records[0].detail;
  EXPECT_NE(gates::ToText(report).find("Core ML does not tell where 8 ops run"), std::string::npos);
  EXPECT_FALSE(Gate({.without_usage = {"conv"}}).records[0].passed);
}

TEST_F(AppleResidencyTest, TheInterpreter_PredictsAsElsewhere) {
  const gates::GateReport report = Gate({}, false, "interpreter");
  EXPECT_TRUE(report.records[0].passed || report.records[0].contested);
  EXPECT_EQ(report.records[0].basis, "predicted");
  EXPECT_EQ(standin::TakeAccount().loaded, 0);
}

}  // namespace
}  // namespace headway::apple_test
