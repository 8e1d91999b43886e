// What the gates leave in a package, and what they need from it.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file_writer.h"
#include "faulty_package.h"
#include "gates/gate.h"
#include "pack/record_goldens.h"

namespace headway::gate_test {
namespace {

class GateResults : public testing::Test {
 protected:
  Manifest Stored() const { return *OpenManifest(package_, false); }

  const parity::TestModel model_{"tiny-phi", "q8_0"};
  const std::string package_ = model_.Pack("1", {"full:2", "full:1"});
};

TEST_F(GateResults, WithoutGoldens_ResidencyRunsAndGoldenSaysWhatItNeeds) {
  ASSERT_TRUE(gates::RunGates(package_, {.golden = false}));
  EXPECT_EQ(Stored().gates.size(), 1U);
  const auto golden = gates::RunGates(package_, {});
  ASSERT_FALSE(golden);
  EXPECT_EQ(golden.error().code, ErrorCode::kNotFound);
  EXPECT_NE(golden.error().message.find("--reference"), std::string::npos);
}

TEST_F(GateResults, AddedGoldens_AreUsedAndResultsAreKept) {
  ASSERT_TRUE(pack::AddGoldens(model_.File(), package_, {.max_tokens = 12}));
  const auto report = gates::RunGates(package_, {});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->Passed()) << gates::ToText(*report);
  EXPECT_EQ(report->positions, 12);
  const Manifest manifest = Stored();
  EXPECT_EQ(manifest.gates, report->records);
  EXPECT_EQ(manifest.gates.size(), 4U);
  EXPECT_TRUE(gates::CheckRecords(manifest, package_, KvType::kF16).value_or(false));
  EXPECT_TRUE(gates::CheckRecords(manifest, package_, KvType::kQ8_0).value_or(false));
  // Opening with every digest compared still works, and a second run changes nothing.
  ASSERT_TRUE(gates::RunGates(package_, {.golden = false}));
  EXPECT_EQ(Stored(), manifest);
}

TEST_F(GateResults, GoldensOfAnotherFile_AreRefused) {
  const parity::TestModel other("tiny-phi", "q4_0");
  const auto added = pack::AddGoldens(other.File(), package_, {});
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().message.find("found another"), std::string::npos);
  EXPECT_FALSE(Stored().goldens);
}

TEST_F(GateResults, AFailure_IsRecordedAndNamed) {
  const auto report = gates::RunGates(package_, {.golden = false, .instruction_set = "reference"});
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->Passed());
  const auto checked = gates::CheckRecords(Stored(), package_, KvType::kF16);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kGateFailed);
  EXPECT_NE(checked.error().message.find("residency"), std::string::npos);
  EXPECT_NE(checked.error().message.find("--allow-ungated"), std::string::npos);
}

// A package may fail for one form of keys and values and be good for the other.
TEST_F(GateResults, FailureOfQ8Kv_ConcernsOnlySessionsThatUseIt) {
  Manifest manifest = Stored();
  manifest.gates = {{.gate = "quality", .passed = true, .basis = "measured", .detail = ""}};
  EXPECT_FALSE(gates::CheckRecords(manifest, package_, KvType::kQ8_0).value_or(true));
  manifest.gates.push_back(
      {.gate = gates::kQ8KvGate, .passed = false, .basis = "measured", .detail = "cosine"});
  EXPECT_TRUE(gates::CheckRecords(manifest, package_, KvType::kF16).value_or(false));
  const auto refused = gates::CheckRecords(manifest, package_, KvType::kQ8_0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kGateFailed);
}

TEST_F(GateResults, NeverGated_IsSaidNotRefused) {
  const auto checked = gates::CheckRecords(Stored(), package_, KvType::kF16);
  ASSERT_TRUE(checked);
  EXPECT_FALSE(*checked);
}

// A quality result of a package that no longer computes what it did would mislead.
TEST_F(GateResults, ArithmeticFailure_RemovesAnOlderQualityResult) {
  ASSERT_TRUE(pack::AddGoldens(model_.File(), package_, {.max_tokens = 12}));
  ASSERT_TRUE(gates::RunGates(package_, {}));
  Manifest manifest = Stored();
  std::swap(manifest.layers[0].file, manifest.layers[1].file);
  ASSERT_TRUE(WriteTextFileAtomically(package_ + "/manifest.json", ToJson(manifest)));
  const auto report = gates::RunGates(package_, {.residency = false});
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->Passed());
  std::vector<std::string> names;
  for (const GateRecord& record : Stored().gates) names.push_back(record.gate);
  EXPECT_EQ(names, (std::vector<std::string>{"residency", "arithmetic"}));
}

}  // namespace
}  // namespace headway::gate_test
