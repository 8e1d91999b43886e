// The screened head from rows to tokens: rows, planes and programs as `pack` writes them, estimates
// in the interpreter, exact rows on the host, the search over both; with ties, equal rows and
// extreme values, against the oracle.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "device/coreml/shards/screen_shard.h"
#include "graph/cut.h"
#include "kernels/kernel_set.h"
#include "kernels/plane_layout.h"
#include "lmhead/build_planes.h"
#include "lmhead/planes.h"
#include "lmhead/search.h"
#include "shard_fixture.h"

namespace headway::coreml {
namespace {

constexpr int64_t kScreenedChannels = 640;  // two rotation blocks
constexpr int64_t kScreenedRows = 1040;
constexpr int64_t kScreenedTokens = 6;
constexpr const char* kDigest = "0123456789abcdef0123456789abcdef";

// All shards of a screened head, as the runtime sees them.
class Screened final : public lmhead::DeviceSigns, public lmhead::ExactRows {
 public:
  struct Part {
    graph::Range range;
    std::unique_ptr<LoadedHeadShard> shard;
  };

  void Add(const graph::Range& range, std::unique_ptr<LoadedHeadShard> shard) {
    parts_.push_back({range, std::move(shard)});
  }
  const std::vector<Part>& Parts() const { return parts_; }

  // The host's norm of one state before it; returns what rows are multiplied with.
  std::vector<float> SetState(const float* hidden) {
    std::vector<float> normed(kScreenedChannels);
    scratch_ = AlignedBuffer(static_cast<size_t>(parts_.front().shard->ScratchBytes()));
    input_ = parts_.front().shard->Strips()->RunToProduct(
        {.num_tokens = 1, .input = hidden, .scratch = scratch_.data()}, normed.data());
    return normed;
  }
  std::vector<float> Logits(const float* hidden) {
    std::vector<float> logits(kScreenedRows);
    AlignedBuffer scratch(static_cast<size_t>(parts_.front().shard->ScratchBytes()));
    for (const Part& part : parts_)
      EXPECT_TRUE(part.shard
                      ->Run({.num_tokens = 1,
                             .input = hidden,
                             .output = logits.data() + part.range.begin,
                             .output_stride = kScreenedRows,
                             .scratch = scratch.data()})
                      .has_value());
    return logits;
  }

  void Estimate(const float* rotated, int64_t num_states, float* estimates) noexcept override {
    for (const Part& part : parts_)
      EXPECT_TRUE(
          part.shard->Screen()
              ->EstimateRows(rotated, num_states, estimates + part.range.begin, kScreenedRows)
              .has_value());
  }
  int64_t Bytes() const override { return parts_.front().shard->Screen()->EstimateBytes(); }
  int64_t StripOf(int64_t row) const override { return row / kRowBlock; }
  int64_t StripBytes() const override { return kRowBlock * kScreenedChannels * 4; }
  int64_t FullBytes() const override { return kScreenedRows * kScreenedChannels * 4; }
  void Compute(int64_t strip, int64_t /*state*/, float* logits) noexcept override {
    for (const Part& part : parts_) {
      const int64_t row = strip * kRowBlock;
      if (row < part.range.begin || row >= part.range.end) continue;
      part.shard->Strips()->ComputeStrip(input_, (row - part.range.begin) / kRowBlock,
                                         logits + part.range.begin);
    }
  }

 private:
  std::vector<Part> parts_;
  AlignedBuffer scratch_;
  ProductInput input_;
};

class CoremlScreenedTest : public CoremlShardTest {
 protected:
  CoremlScreenedTest() {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    hidden_.resize(kScreenedTokens * kScreenedChannels);
    for (float& value : hidden_) value = normal(random);
  }

  graph::Graph Head(Rows rows) {
    const HeadMatrix head{
        .rows = kScreenedRows, .channels = kScreenedChannels, .deviation = 0.05F, .loud = 3000.0F};
    std::vector<float> matrix = DrawRows(rows, head);
    if (rows == Rows::kNormal) {  // states 1, 3, 5 have a clear winner
      for (int64_t t = 1; t < kScreenedTokens; t += 2) {
        for (int64_t c = 0; c < kScreenedChannels; ++c)
          matrix[static_cast<size_t>((t * 150 + 5) * kScreenedChannels + c)] +=
              0.03F * hidden_[static_cast<size_t>(t * kScreenedChannels + c)];
      }
    }
    return HeadGraph(head, std::move(matrix), &tensors_);
  }

  // Emits and loads a head of that many shards, one and four tokens a pass.
  void Make(Rows rows, int64_t num_shards, Screened* head) {
    const graph::Graph graph = Head(rows);
    const WeightSource source = [this](const std::string& name) { return tensors_.View(name); };
    auto bytes = lmhead::BuildPlanes(
        *tensors_.View("head"),
        {.seed = lmhead::RotationSeed::FromNumber(5), .rows_digest = kDigest}, &pool_);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    auto planes = lmhead::Planes::FromBytes(*std::move(bytes), kDigest);
    ASSERT_TRUE(planes.has_value());
    planes_ = std::make_unique<lmhead::Planes>(*std::move(planes));
    const auto emitter = MakeEmitter({}, &pool_);
    rows_path_ = directory_.Path(fmt::format("rows{}.gguf", made_++));
    const auto written = emitter->Screens()->EmitRows(graph, source, nullptr, rows_path_);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    paths_.clear();
    const std::vector<graph::Range> ranges = *graph::SplitVocabulary(kScreenedRows, num_shards);
    for (const graph::Range& range : ranges) {
      const graph::Graph part = *graph::CutHeadRows(graph, range);
      std::vector<std::string> paths;
      for (const StepWidth& width : {StepWidth{1, false}, StepWidth{4, false}}) {
        paths.push_back(directory_.Path(fmt::format("{}.mlpackage", made_++)));
        const auto emitted = emitter->Screens()->EmitScreen(part, *planes_, {width}, paths.back());
        ASSERT_TRUE(emitted.has_value()) << emitted.error().message;
        ASSERT_TRUE(emitted->expected);
        EXPECT_EQ(emitted->expected->conv_total, 2);
        EXPECT_EQ(emitted->expected->compute_total, 7);
        EXPECT_EQ(emitted->expected->compute_ane, 7);
      }
      auto loaded =
          loader_->LoadHead({.paths = paths, .rows = rows_path_, .first_row = range.begin});
      ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
      head->Add(range, *std::move(loaded));
      paths_.push_back(paths.front());
    }
  }

  std::vector<double> OracleLogits(size_t shard) const {
    const auto reference = OpenStoredScreen(paths_[shard], rows_path_, "");
    EXPECT_TRUE(reference.has_value()) << reference.error().message;
    auto oracle =
        oracle::Oracle::Create(reference->graph, reference->weights, RoundingsOf(kDevice.traits));
    return *oracle->Run({.x = {hidden_.begin(), hidden_.end()}});
  }

  FloatTensors tensors_;
  std::vector<float> hidden_;
  std::unique_ptr<lmhead::Planes> planes_;
  std::string rows_path_;
  std::vector<std::string> paths_;
};

const kernels::KernelSet& Kernels() {
  static const auto selected_once = kernels::SelectKernels("");
  return selected_once->kernels;
}

TEST_F(CoremlScreenedTest, HostRows_AreTheOraclesLogits) {
  Screened head;
  ASSERT_NO_FATAL_FAILURE(Make(Rows::kNormal, 3, &head));
  for (size_t i = 0; i < head.Parts().size(); ++i) {
    const std::vector<double> expected = OracleLogits(i);
    const graph::Range range = head.Parts()[i].range;
    const auto rows = static_cast<size_t>(range.end - range.begin);
    for (int64_t t = 0; t < kScreenedTokens; ++t) {
      const std::vector<float> logits = head.Logits(hidden_.data() + t * kScreenedChannels);
      for (size_t r = 0; r < rows; ++r)
        EXPECT_NEAR(static_cast<double>(logits[static_cast<size_t>(range.begin) + r]),
                    expected[static_cast<size_t>(t) * rows + r], 1e-5);
    }
  }
}

TEST_F(CoremlScreenedTest, Estimates_AreThePlanesInFp16AtEveryWidth) {
  Screened head;
  ASSERT_NO_FATAL_FAILURE(Make(Rows::kNormal, 3, &head));
  std::vector<float> states(kScreenedTokens * kScreenedChannels);
  for (int64_t t = 0; t < kScreenedTokens; ++t)
    lmhead::ScaleForDevice(
        std::span(hidden_).subspan(static_cast<size_t>(t * kScreenedChannels), kScreenedChannels),
        std::span(states).subspan(static_cast<size_t>(t * kScreenedChannels), kScreenedChannels));
  std::vector<float> together(kScreenedTokens * kScreenedRows);
  head.Estimate(states.data(), kScreenedTokens, together.data());
  std::vector<float> single(kScreenedRows);
  std::vector<uint8_t> signs;
  for (int64_t t = 0; t < kScreenedTokens; ++t) {
    head.Estimate(states.data() + t * kScreenedChannels, 1, single.data());
    for (int64_t row = 0; row < kScreenedRows; ++row) {
      const float found = together[static_cast<size_t>(t * kScreenedRows + row)];
      EXPECT_EQ(found, single[static_cast<size_t>(row)]);
      double expected = 0;
      double size = 0;
      for (int64_t b = 0; b < 2; ++b) {
        const kernels::RotationBlock block = kernels::RotationBlockOf(kScreenedChannels, b);
        signs.resize(static_cast<size_t>(block.size));
        lmhead::ReadSigns(*planes_, row, b, signs);
        double sum = 0;
        for (size_t j = 0; j < signs.size(); ++j) {
          const double x = static_cast<double>(
              states[static_cast<size_t>(t * kScreenedChannels + block.begin) + j]);
          sum += signs[j] != 0 ? x : -x;
        }
        const double share =
            sum * std::ldexp(static_cast<double>(ToFloat(lmhead::SignTerm(*planes_, row, b))),
                             lmhead::kDeviceScaleExponent);
        expected += share;
        size += std::fabs(share);
      }
      // One rounding of each sum, product and addition.
      EXPECT_NEAR(static_cast<double>(found), expected, 3.1 * 0x1p-11 * size + 0x1p-22);
    }
  }
}

TEST_F(CoremlScreenedTest, Search_ChoosesTheOraclesBest_TiesToTheLowestId) {
  for (const Rows rows : {Rows::kNormal, Rows::kTies, Rows::kEqual, Rows::kExtreme}) {
    Screened head;
    ASSERT_NO_FATAL_FAILURE(Make(rows, 3, &head));
    lmhead::Search search(planes_.get(), &head, Kernels(), &pool_, 1,
                          {.certificate = {}, .noise_key = 3, .device_or_null = &head});
    int decided = 0;
    for (int64_t t = 0; t < kScreenedTokens; ++t) {
      const std::vector<float> normed = head.SetState(hidden_.data() + t * kScreenedChannels);
      search.Screen(normed.data(), 1, 1);
      if (!search.Decide(0, {}).decided) continue;
      ++decided;
      const std::vector<float> logits = head.Logits(hidden_.data() + t * kScreenedChannels);
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      const lmhead::Candidate* chosen = nullptr;
      for (const lmhead::Candidate& candidate : search.Found()) {
        EXPECT_EQ(candidate.logit, logits[static_cast<size_t>(candidate.id)]);
        if (chosen == nullptr || candidate.logit > chosen->logit) chosen = &candidate;
      }
      ASSERT_NE(chosen, nullptr);
      EXPECT_EQ(chosen->id, best) << "rows " << static_cast<int>(rows) << ", state " << t;
      double largest = -HUGE_VAL;
      for (size_t i = 0; i < head.Parts().size(); ++i) {
        const std::vector<double> oracle = OracleLogits(i);
        const auto width = static_cast<int64_t>(oracle.size()) / kScreenedTokens;
        largest = std::max(largest, *std::max_element(oracle.begin() + t * width,
                                                      oracle.begin() + (t + 1) * width));
      }
      EXPECT_NEAR(static_cast<double>(chosen->logit), largest, 1e-6 * std::fabs(largest) + 1e-6);
    }
    if (rows == Rows::kNormal) {
      EXPECT_GE(decided, 3);
    }
  }
}

TEST_F(CoremlScreenedTest, ProgramsThatAssumeOtherSums_AreRefused) {
  Screened head;
  ASSERT_NO_FATAL_FAILURE(Make(Rows::kNormal, 1, &head));
  EXPECT_EQ(head.Parts().front().shard->Screen()->EstimateAssumption(), mil::kScreenAccumulation);
  const std::string other = directory_.Path("other.mlpackage");
  std::filesystem::copy(paths_.front(), other, std::filesystem::copy_options::recursive);
  const std::string model = other + "/Data/com.apple.CoreML/model.mlmodel";
  std::string text = ReadAll(model);
  const size_t at = text.find("the nearest fp16");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 16, "any of the fp16s");
  std::ofstream(model, std::ios::binary | std::ios::trunc) << text;
  const auto loaded = loader_->LoadHead({.paths = {&other, 1}, .rows = rows_path_});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(loaded.error().message.find("any of the fp16s"), std::string::npos);
  // And rows that are not those of the shard.
  EXPECT_FALSE(
      loader_->LoadHead({.paths = paths_, .rows = rows_path_, .first_row = 16}).has_value());
  EXPECT_FALSE(
      loader_->LoadHead({.paths = paths_, .rows = directory_.Path("none.gguf")}).has_value());
}

}  // namespace
}  // namespace headway::coreml
