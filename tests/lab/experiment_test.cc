// An experiment from its specification to its page, on a model of 0.9 MB.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/digest.h"
#include "base/file_writer.h"
#include "lab/report.h"
#include "lab/run.h"
#include "model_fixture.h"

namespace headway::lab {
namespace {

using Json = nlohmann::json;

class ExperimentTest : public testing::Test {
 protected:
  std::string WriteSpec(Json edit = Json::object()) const {
    Json spec = {
        {"name", "small"},
        {"title", "Small"},
        {"intent", "To see it run."},
        {"model", model_.File()},
        {"baseline", "full:2"},
        {"search_topology", true},
        {"measure",
         {{"metric", "step"},
          {"warm_up", 1},
          {"repeats", 3},
          {"tokens", 4},
          {"context", 8},
          {"threads", 1}}},
        {"variants",
         {{{"name", "full:2"}, {"topology", "1"}, {"head", "full:2"}},
          {{"name", "one shard"}, {"topology", "2"}, {"head", "full:1"}},
          {{"name", "four tokens"}, {"topology", "1"}, {"head", "full:2"}, {"batch_tokens", 4}},
          {{"name", "abacus"}, {"device", "abacus"}},
          {{"name", "magic"}, {"head", "magic:4"}}}}};
    spec.update(edit);
    const std::string path = model_.Path("small.json");
    EXPECT_TRUE(WriteTextFileAtomically(path, spec.dump()));
    return path;
  }
  Result<ExperimentReport> Run(const std::string& spec,
                               const std::atomic<bool>* cancelled = nullptr) const {
    return RunExperiment(spec, {.directory = model_.Path("out"),
                                .model = "",
                                .machine = "test machine",
                                .show_progress = false,
                                .cancelled_or_null = cancelled});
  }

  const parity::TestModel model_{"tiny-phi", "q8_0"};
};

TEST_F(ExperimentTest, EndsInAReport) {
  const auto report = Run(WriteSpec());
  ASSERT_TRUE(report) << report.error().message;
  const Results& results = report->results;
  EXPECT_EQ(RoundsDone(results), 3);
  for (size_t i = 0; i < 3; ++i) {
    const VariantResult& variant = results.variants[i];
    EXPECT_EQ(variant.status, Status::kReady) << variant.reason;
    EXPECT_EQ(variant.gates.size(), 3U);
    for (const GateRecord& gate : variant.gates) EXPECT_TRUE(gate.passed) << gate.detail;
    for (const Sample& sample : variant.samples) {
      EXPECT_GT(sample.head_ns, 0);
      EXPECT_GT(sample.step_ns, sample.head_ns);
      EXPECT_GE(sample.head_ns, sample.predict_ns);
      EXPECT_GT(sample.head_bytes, 0);
    }
  }
  // Other cuts decode the same tokens; four tokens a step read a quarter of the bytes each.
  EXPECT_EQ(results.variants[0].samples[0].tokens_hash, results.variants[1].samples[2].tokens_hash);
  EXPECT_DOUBLE_EQ(results.variants[2].samples[0].head_bytes * 4,
                   results.variants[0].samples[0].head_bytes);
  EXPECT_EQ(results.variants[3].status, Status::kNotAvailable);
  EXPECT_NE(results.variants[3].reason.find("abacus"), std::string::npos);
  EXPECT_EQ(results.variants[4].status, Status::kNotAvailable);
  EXPECT_NE(results.variants[4].reason.find("magic"), std::string::npos);
  EXPECT_FALSE(report->findings.empty());
  for (const std::string& path : {report->page, report->entry, model_.Path("out/results.json")})
    EXPECT_TRUE(std::filesystem::exists(path)) << path;
}

TEST_F(ExperimentTest, Interrupted_KeepsWhatIsDoneAndGoesOn) {
  const std::string spec = WriteSpec();
  const std::atomic<bool> cancelled{true};
  const auto stopped = Run(spec, &cancelled);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
  const auto first = Run(spec);
  ASSERT_TRUE(first) << first.error().message;
  // As if the last round had not been reached.
  const std::string path = model_.Path("out/results.json");
  Json json = Json::parse(*ReadTextFile(path, 1 << 24));
  const Json whole = json;
  for (Json& variant : json["variants"]) {
    if (!variant["rounds"].empty()) variant["rounds"].erase(2);
  }
  ASSERT_TRUE(WriteTextFileAtomically(path, json.dump()));
  const auto again = Run(spec);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(RoundsDone(again->results), 3);
  for (const size_t round : {size_t{0}, size_t{1}})
    EXPECT_EQ(again->results.variants[0].samples[round].step_ns,
              whole["variants"][0]["rounds"][round]["step_ns"].get<double>());
  // All done: nothing is measured again.
  const auto same = Run(spec);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->results.variants[0].samples, again->results.variants[0].samples);
}

TEST_F(ExperimentTest, AnotherSpecification_StartsAnewInTheSamePackages) {
  ASSERT_TRUE(Run(WriteSpec()));
  const std::string shard = model_.Path("out/packages/cpu-1/layers_000_001.shard");
  const auto packed = std::filesystem::last_write_time(shard);
  const auto other = Run(WriteSpec({{"title", "Other"}}));
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(std::filesystem::last_write_time(shard), packed);
}

TEST_F(ExperimentTest, PackagesOfAnotherShardFormat_AreMadeAnew) {
  ASSERT_TRUE(Run(WriteSpec()));
  const std::string shard = model_.Path("out/packages/cpu-1/layers_000_001.shard");
  {  // as an older build would have written it: same size, other magic
    std::fstream file(shard, std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(file.write("HWSHARD1", 8));
  }
  const auto report = Run(WriteSpec({{"title", "Other"}}));
  ASSERT_TRUE(report) << report.error().message;
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(report->results.variants[i].status, Status::kReady)
        << report->results.variants[i].reason;
  std::ifstream file(shard, std::ios::binary);
  std::string magic(8, '\0');
  ASSERT_TRUE(file.read(magic.data(), 8));
  EXPECT_NE(magic, "HWSHARD1");
}

TEST_F(ExperimentTest, AVariantThatFailsAGate_IsReportedAndNotMeasured) {
  ASSERT_TRUE(Run(WriteSpec()));
  // The package of "one shard" gets goldens that fit its format but not its values.
  const std::string package = model_.Path("out/packages/cpu-2");
  auto manifest = OpenManifest(package, false);
  ASSERT_TRUE(manifest);
  std::string bytes = *ReadTextFile(package + "/goldens.bin", 1 << 26);
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 4000; ++i)
    bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
  ASSERT_TRUE(WriteTextFileAtomically(package + "/goldens.bin", bytes));
  manifest->goldens->digest = *FileDigestHex(package + "/goldens.bin");
  ASSERT_TRUE(WriteTextFileAtomically(package + "/manifest.json", ToJson(*manifest)));
  std::filesystem::remove(model_.Path("out/results.json"));
  const auto report = Run(WriteSpec());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->results.variants[1].status, Status::kFailedGate);
  EXPECT_NE(report->results.variants[1].reason, "");
  EXPECT_TRUE(report->results.variants[1].samples.empty());
  EXPECT_EQ(report->results.variants[0].samples.size(), 3U);
}

TEST_F(ExperimentTest, TooLongAContext_IsRefusedBeforeMeasuring) {
  const auto report = Run(WriteSpec({{"measure", {{"context", 60}, {"tokens", 60}}}}));
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("at most 64"), std::string::npos) << report.error().message;
}

}  // namespace
}  // namespace headway::lab
