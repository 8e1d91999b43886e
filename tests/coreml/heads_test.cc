// Every head kind at every number of shards that matters, at one and four tokens a step: logits
// against the oracle on the stored weights, choices against the full head's logits, bit for bit,
// with ties, equal rows and values at the end of fp16.

#include <algorithm>
#include <cmath>
#include <random>

#include "graph/cut.h"
#include "shard_fixture.h"

namespace headway::coreml {
namespace {

constexpr int64_t kD = 64;
constexpr int64_t kV = 1040;  // 65 granules of 16: 64 shards of 16 and 32 rows
constexpr int64_t kTokens = 6;

const std::vector<StepWidth> kOneAndFour = {{1, false}, {4, false}};

class CoremlHeadsTest : public CoremlShardTest {
 protected:
  CoremlHeadsTest() {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    hidden_.resize(kTokens * kD);
    for (float& value : hidden_) value = normal(random);
    std::fill_n(hidden_.begin() + 2 * kD, kD, 0.0F);  // a hidden state of zeros: all logits tie
  }

  graph::Graph Head(Rows rows) {
    // Loud rows: the largest logits just below 65504, the smallest just above -65504.
    const HeadMatrix head{.rows = kV, .channels = kD, .deviation = 0.125F, .loud = 1000.0F};
    return HeadGraph(head, DrawRows(rows, head), &tensors_);
  }

  // Emits and runs all shards of a head. Logits [T, V] for kinds that have them, else pairs.
  struct Result {
    std::vector<float> logits;
    std::vector<float> maxima;     // blockmax: of all blocks of all shards, token by token
    std::vector<int64_t> choices;  // [T]
    std::vector<double> oracle;    // [T, V]
  };
  // Steps of four tokens and of one must give the same bits.
  Result RunHead(Rows rows, HeadForm form, int64_t num_shards, const EmitterOptions& options = {}) {
    const graph::Graph head = Head(rows);
    const WeightSource source = [this](const std::string& name) { return tensors_.View(name); };
    Result result;
    result.logits.assign(kTokens * kV, 0.0F);
    result.oracle.assign(kTokens * kV, 0.0);
    result.choices.assign(kTokens, -1);
    Result single = result;
    std::vector<float> best(kTokens, 0.0F);
    std::vector<float> single_best(kTokens, 0.0F);
    const std::vector<graph::Range> ranges = *graph::SplitVocabulary(kV, num_shards);
    for (const graph::Range& range : ranges) {
      const graph::Graph part = *graph::CutHeadRows(head, range);
      const auto paths = Emit(part, source, options, form, kOneAndFour);
      const auto shard = LoadHead(paths);
      if (shard == nullptr) return result;
      RunShard(shard.get(), range, 4, &result, &best);
      RunShard(shard.get(), range, 1, &single, &single_best);
      RunOracle(paths.back(), range, &result);
    }
    EXPECT_EQ(single.logits, result.logits);
    EXPECT_EQ(single.maxima, result.maxima);
    EXPECT_EQ(single.choices, result.choices);
    return result;
  }

 private:
  void RunShard(LoadedHeadShard* shard, const graph::Range& range, int64_t step, Result* result,
                std::vector<float>* best) {
    const ShardInterface& interface = shard->Interface();
    std::vector<float> pairs(kTokens * 2);
    std::vector<float> maxima(static_cast<size_t>(kTokens * interface.NumBlocks()));
    for (int64_t first = 0; first < kTokens; first += step) {
      const int64_t count = std::min(step, kTokens - first);
      float* const output = interface.is_top1 ? pairs.data() + first * 2
                                              : result->logits.data() + first * kV + range.begin;
      EXPECT_TRUE(shard
                      ->Run({.num_tokens = count,
                             .input = hidden_.data() + first * kD,
                             .output = output,
                             .output_stride = interface.is_top1 ? 2 : kV,
                             .block_maxima = maxima.data() + first * interface.NumBlocks(),
                             .maxima_stride = interface.NumBlocks()})
                      .has_value());
    }
    for (size_t t = 0; t < kTokens; ++t) {
      float value = pairs[2 * t];
      int64_t id = range.begin + static_cast<int64_t>(pairs[2 * t + 1]);
      if (!interface.is_top1) {
        const auto row = result->logits.begin() + static_cast<int64_t>(t) * kV;
        const auto top = std::max_element(row + range.begin, row + range.end);
        value = *top;
        id = top - row;
      }
      if (result->choices[t] >= 0 && !(value > (*best)[t])) continue;
      (*best)[t] = value;
      result->choices[t] = id;
    }
    result->maxima.insert(result->maxima.end(), maxima.begin(), maxima.end());
    CheckMaxima(interface, range, *result, maxima);
  }

  // Each maximum is the largest of its block, the same bits.
  static void CheckMaxima(const ShardInterface& interface, const graph::Range& range,
                          const Result& result, const std::vector<float>& maxima) {
    if (interface.NumBlocks() == 0) return;
    const int64_t size = (range.end - range.begin) / interface.NumBlocks();
    ASSERT_EQ(size * interface.NumBlocks(), range.end - range.begin);
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t b = 0; b < interface.NumBlocks(); ++b) {
        const auto block = result.logits.begin() + t * kV + range.begin + b * size;
        EXPECT_EQ(maxima[static_cast<size_t>(t * interface.NumBlocks() + b)],
                  *std::max_element(block, block + size));
      }
    }
  }

  void RunOracle(const std::string& path, const graph::Range& range, Result* result) const {
    const auto reference = OpenStoredShard(path);
    ASSERT_TRUE(reference.has_value()) << reference.error().message;
    auto oracle =
        oracle::Oracle::Create(reference->graph, reference->weights, RoundingsOf(kDevice.traits));
    const auto logits = oracle->Run({.x = {hidden_.begin(), hidden_.end()}});
    ASSERT_TRUE(logits.has_value()) << logits.error().message;
    const int64_t rows = range.end - range.begin;
    for (int64_t t = 0; t < kTokens; ++t)
      std::copy_n(logits->begin() + t * rows, rows, result->oracle.begin() + t * kV + range.begin);
  }

  FloatTensors tensors_;
  std::vector<float> hidden_;  // [kTokens, kD]
};

const Rows kAllRows[] = {Rows::kNormal, Rows::kTies, Rows::kEqual, Rows::kExtreme};

TEST_F(CoremlHeadsTest, FullHeads_GiveTheOraclesLogitsAtAnySplit) {
  for (const int64_t num_shards : {1, 3, 4, 8, 64}) {
    const Result head = RunHead(Rows::kNormal, HeadForm::kFull, num_shards);
    // Norm: six roundings of the input in a chain; product: one; each at most 2^-11.
    EXPECT_LE(RelativeError(head.logits, head.oracle), 7 * 0x1p-11) << num_shards;
  }
}

TEST_F(CoremlHeadsTest, SplitInsideThePackage_GivesTheSameLogits) {
  const Result whole = RunHead(Rows::kNormal, HeadForm::kFull, 3);
  EmitterOptions options;
  options.head_splits = 5;
  const Result split = RunHead(Rows::kNormal, HeadForm::kFull, 3, options);
  EXPECT_EQ(split.logits, whole.logits);
  EXPECT_EQ(split.oracle, whole.oracle);
}

TEST_F(CoremlHeadsTest, ExtremeLogits_StayWithinFp16) {
  EmitterOptions fp16;
  fp16.weights.kind = mil::WeightKind::kF16;
  const Result head = RunHead(Rows::kExtreme, HeadForm::kFull, 4, fp16);
  for (size_t i = 0; i < head.logits.size(); ++i) {
    const double bound = 7 * 0x1p-11 * std::abs(head.oracle[i]) + 4.0;  // sums of terms near 2^10
    EXPECT_NEAR(static_cast<double>(head.logits[i]), head.oracle[i], bound);
  }
  EXPECT_GT(*std::max_element(head.logits.begin(), head.logits.end()), 1000.0F);
}

TEST_F(CoremlHeadsTest, EveryKind_ChoosesTheFullHeadsBest_TiesToTheLowestId) {
  for (const Rows rows : kAllRows) {
    const Result full = RunHead(rows, HeadForm::kFull, 1);
    // All numbers of shards once, one that cuts ties apart for the others.
    const std::vector<int64_t> numbers =
        rows == Rows::kNormal ? std::vector<int64_t>{1, 3, 4, 8} : std::vector<int64_t>{3};
    for (const HeadForm form :
         {HeadForm::kFull, HeadForm::kBlockMax, HeadForm::kTop1, HeadForm::kTop1F16}) {
      for (const int64_t num_shards : numbers) {
        EXPECT_EQ(RunHead(rows, form, num_shards).choices, full.choices)
            << NameOf(form) << ":" << num_shards << ", rows " << static_cast<int>(rows);
      }
    }
    if (rows == Rows::kTies) {
      for (const int64_t choice : full.choices) EXPECT_LT(choice, 16);
    }
    if (rows == Rows::kEqual) {
      EXPECT_EQ(full.choices, std::vector<int64_t>(kTokens, 0));
    }
  }
}

TEST_F(CoremlHeadsTest, SixtyFourShards_ChooseTheSame) {
  EXPECT_EQ(RunHead(Rows::kNormal, HeadForm::kTop1F16, 64).choices,
            RunHead(Rows::kNormal, HeadForm::kFull, 1).choices);
}

}  // namespace
}  // namespace headway::coreml
