// Seeded faults of Core ML packages, which the residency gate predicts off a Mac.

#include <gtest/gtest.h>

#include "compile/pack.h"
#include "gate/gate.h"
#include "gate/record.h"
#include "test_model.h"

namespace headway::gate_test {
namespace {

class CoremlFaults : public testing::Test {
 protected:
  gate::Report Gate(const std::string& weights, const std::string& head) {
    const parity::TestModel model("tiny-phi", "q8_0");
    DeviceOptions device;
    device.weights = weights;
    const auto emitter = MakeEmitterFor("coreml", device);
    EXPECT_TRUE(emitter) << emitter.error().message;
    compile::PackOptions options{.topology = "1", .heads = {head}};
    options.max_seq = 64;
    options.before_commit = [&](const std::string& directory, Manifest* manifest) {
      return gate::RecordInto(model.File(), directory, {.device = "coreml", .max_tokens = 12},
                              manifest);
    };
    const auto packed = compile::Pack(model.File(), model.Path("package"), options, emitter->get());
    EXPECT_TRUE(packed) << packed.error().message;
    const auto report = gate::RunGates(model.Path("package"), {.threads = 1});
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(gate::Report{});
  }
  static const GateRecord& Record(const gate::Report& report, const std::string& gate) {
    static const GateRecord none;
    for (const GateRecord& record : report.records)
      if (record.gate == gate) return record;
    return none;
  }
};

TEST_F(CoremlFaults, None_PassesAsPredictedAndInterpreted) {
  const gate::Report report = Gate("fp16", "full:2");
  EXPECT_TRUE(report.Passed()) << gate::ToText(report);
  EXPECT_EQ(Record(report, "residency").basis, "predicted");
  EXPECT_EQ(Record(report, "arithmetic").basis, "interpreted");
}

TEST_F(CoremlFaults, Int4InBlocks_Residency) {
  const gate::Report report = Gate("int4-blockwise", "full:2");
  EXPECT_FALSE(Record(report, "residency").passed);
  EXPECT_NE(Record(report, "residency").detail.find("int4-blocks"), std::string::npos)
      << Record(report, "residency").detail;
  // The oracle reads the same coarse weights: as arithmetic there is nothing wrong with them.
  EXPECT_TRUE(Record(report, "arithmetic").passed) << Record(report, "arithmetic").detail;
}

TEST_F(CoremlFaults, TopkInTheHead_Residency) {
  const gate::Report report = Gate("fp16", "top1:1");
  const GateRecord& residency = Record(report, "residency");
  EXPECT_FALSE(residency.passed);
  EXPECT_EQ(residency.detail.rfind("2 of ", 0), 0U) << residency.detail;
  EXPECT_NE(residency.detail.find("topk"), std::string::npos) << residency.detail;
  EXPECT_TRUE(Record(report, "arithmetic").passed) << Record(report, "arithmetic").detail;
  EXPECT_TRUE(Record(report, "quality").passed) << Record(report, "quality").detail;
}

}  // namespace
}  // namespace headway::gate_test
