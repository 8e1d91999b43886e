#include "device/coreml/shards/head_shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "device/coreml/ir/printer.h"
#include "device/coreml/shards/layers_fixture.h"
#include "tensor/half.h"

namespace headway::mil {
namespace {

constexpr int64_t kHidden = 16;

HeadShardSpec SmallHead(HeadForm form, int64_t rows) {
  HeadShardSpec spec;
  spec.hidden_size = kHidden;
  spec.vocab_end = rows;
  spec.form = form;
  spec.weights = {.kind = WeightKind::kF16};
  spec.norm_prescale = 1.0F;
  return spec;
}

RowSource RandomRows() {
  return [](int64_t first, std::span<float> out) -> Result<void> {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = RandomAt(7, static_cast<uint64_t>(first * kHidden) + i);
    return {};
  };
}

Histogram CountHead(const HeadShardSpec& spec) {
  MemoryBlobs blobs;
  const std::vector<float> gain(kHidden, 1.0F);
  const auto shard = BuildHeadShard(spec, gain, RandomRows(), &blobs);
  EXPECT_TRUE(shard.has_value()) << shard.error().message;
  return shard ? CountOps(*shard->model.program.functions.at("main").Body()) : Histogram();
}

TEST(HeadShard, Histograms_AreThePublishedOnes) {
  const Histogram full = CountHead(SmallHead(HeadForm::kFull, 96));
  EXPECT_EQ(full.num_compute, 8);
  EXPECT_EQ(full.num_convs, 1);
  EXPECT_EQ(
      full.ops,
      (std::map<std::string, int64_t>{
          {"mul", 3}, {"pow", 1}, {"reduce_mean", 1}, {"add", 1}, {"rsqrt", 1}, {"conv", 1}}));
  const Histogram top1 = CountHead(SmallHead(HeadForm::kTop1, 96));
  EXPECT_EQ(top1.num_compute, 11);
  EXPECT_EQ(top1.ops.at("topk"), 1);
  EXPECT_EQ(top1.ops.at("cast"), 1);
  EXPECT_EQ(CountHead(SmallHead(HeadForm::kBlockMax, 96)).num_compute, 10);
  EXPECT_EQ(CountHead(SmallHead(HeadForm::kTop1F16, 96)).num_compute, 38);
  for (const auto& [op, count] : CountHead(SmallHead(HeadForm::kTop1F16, 96)).ops) {
    EXPECT_TRUE(op != "topk" && op != "cast" && op != "select" && op != "gather") << op;
  }
}

TEST(HeadShard, ASoftCap_IsThreeOpsAnOutputOfLogits) {
  HeadShardSpec spec = SmallHead(HeadForm::kFull, 96);
  spec.soft_cap = 30.0F;
  EXPECT_EQ(CountHead(spec).num_compute, 8 + 3);
  EXPECT_EQ(CountHead(spec).ops.at("tanh"), 1);
  spec.splits = 2;
  EXPECT_EQ(CountHead(spec).num_compute, 9 + 6);
  spec = SmallHead(HeadForm::kBlockMax, 96);
  spec.soft_cap = 30.0F;
  EXPECT_EQ(CountHead(spec).num_compute, 10 + 3);
}

TEST(HeadShard, BlockOf_PhiShards) {
  HeadShardSpec spec = SmallHead(HeadForm::kBlockMax, 50016);
  EXPECT_EQ(*BlockOf(spec), 96);  // 521 blocks
  spec.vocab_end = 200064;
  EXPECT_EQ(*BlockOf(spec), 128);  // 1563 blocks
  spec.vocab_end = 50021;          // prime
  EXPECT_FALSE(BlockOf(spec).has_value());
}

// A head whose logits are given: hidden e_t picks column t of the rows, so that logits[v, t] =
// table[v][t]. The norm is undone by the gain: mean of e_t squared is 1 / D, so the norm scales by
// sqrt(D).
class HeadOfTable {
 public:
  HeadOfTable(HeadForm form, int64_t rows, int64_t tokens, std::vector<std::vector<float>> table)
      : tokens_(tokens), table_(std::move(table)) {
    HeadShardSpec spec = SmallHead(form, rows);
    spec.block = 96;
    spec.tokens = tokens;
    const std::vector<float> gain(kHidden, 0.25F);  // 1 / sqrt(16)
    const RowSource source = [&](int64_t first, std::span<float> out) -> Result<void> {
      for (size_t i = 0; i < out.size(); ++i) {
        const size_t column = i % kHidden;
        const size_t row = static_cast<size_t>(first) + i / kHidden;
        out[i] = column < static_cast<size_t>(tokens_) ? table_[column][row] : 0.0F;
      }
      return {};
    };
    spec.rms_norm_epsilon = 0.0F;
    auto shard = BuildHeadShard(spec, gain, source, &blobs_);
    EXPECT_TRUE(shard.has_value()) << shard.error().message;
    shard_ = *std::move(shard);
  }

  TensorMap Run() {
    auto interpreter = Interpreter::Create(shard_.model.program.functions.at("main"), &blobs_, {});
    EXPECT_TRUE(interpreter.has_value()) << interpreter.error().message;
    std::vector<float> x(static_cast<size_t>(kHidden * tokens_), 0.0F);
    for (int64_t t = 0; t < tokens_; ++t) x[static_cast<size_t>(t * tokens_ + t)] = 1.0F;
    TensorMap states;
    auto out = interpreter->Run({{"hidden", MakeTensor(DType::kF16, {1, kHidden, tokens_, 1}, x)}},
                                &states);
    EXPECT_TRUE(out.has_value()) << out.error().message;
    not_finite_ = interpreter->FirstNotFinite();
    return *std::move(out);
  }
  // Of the last run.
  const std::string& NotFinite() const { return not_finite_; }

 private:
  int64_t tokens_;
  std::vector<std::vector<float>> table_;
  MemoryBlobs blobs_;
  Shard shard_;
  std::string not_finite_;
};

int64_t LowestArgMax(const std::vector<float>& row) {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

// Logits that make selection hard: ties across and inside blocks, all equal, extremes of fp16, tiny
// differences.
std::vector<std::vector<float>> HardTables(size_t rows) {
  std::vector<std::vector<float>> tables;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    std::vector<float> table(rows);
    for (size_t i = 0; i < rows; ++i) table[i] = 20.0F * RandomAt(seed, i);
    RoundToHalf(table);
    tables.push_back(table);
    for (float& value : table) value = std::round(value / 8.0F);  // many ties
    tables.push_back(table);
    for (float& value : table) value *= 0x1p-24F;  // the smallest differences there are
    tables.push_back(table);
  }
  tables.push_back(std::vector<float>(rows, 0.0F));
  tables.push_back(std::vector<float>(rows, -65504.0F));
  std::vector<float> extremes(rows, -65504.0F);
  extremes[rows / 3] = 65504.0F;
  tables.push_back(extremes);
  extremes[rows - 1] = 65504.0F;
  tables.push_back(extremes);
  extremes.assign(rows, -60000.0F);
  extremes[rows / 2] = -59968.0F;
  tables.push_back(extremes);
  return tables;
}

TEST(HeadShard, Top1F16_IsExact_LowestIdOnTies) {
  constexpr int64_t kRows = 96 * 5;
  for (const auto& table : HardTables(kRows)) {
    HeadOfTable head(HeadForm::kTop1F16, kRows, 1, {table});
    const TensorMap out = head.Run();
    const auto id = static_cast<int64_t>(out.at("top_block").Floats()[0]) * 96 +
                    static_cast<int64_t>(out.at("top_lane").Floats()[0]);
    EXPECT_EQ(id, LowestArgMax(table));
    EXPECT_EQ(out.at("top_value").Floats()[0], table[static_cast<size_t>(LowestArgMax(table))]);
  }
}

// Every negative fp16 number beside a maximum of zero: none is taken for it, and no op overflows.
TEST(HeadShard, Top1F16_EveryDistanceFromTheMaximum_IsSeen) {
  constexpr int64_t kRows = 96 * 5;
  uint16_t bits = 0x8001;  // the smallest negative number; 0xfbff is the largest that is finite
  for (size_t place = 7; bits <= 0xfbff; place = (place + 101) % kRows) {
    std::vector<float> table(kRows);
    for (float& value : table) value = ToFloat(F16{std::min<uint16_t>(bits++, 0xfbff)});
    table[place] = 0;
    HeadOfTable head(HeadForm::kTop1F16, kRows, 1, {table});
    const TensorMap out = head.Run();
    EXPECT_EQ(out.at("top_block").Floats()[0] * 96 + out.at("top_lane").Floats()[0],
              static_cast<float>(place));
    EXPECT_EQ(head.NotFinite(), "");
  }
}

TEST(HeadShard, Top1F16_FourTokens) {
  constexpr int64_t kRows = 96 * 5;
  const auto tables = HardTables(kRows);
  for (size_t i = 0; i + 4 <= tables.size(); i += 4) {
    const std::vector<std::vector<float>> four(tables.begin() + static_cast<std::ptrdiff_t>(i),
                                               tables.begin() + static_cast<std::ptrdiff_t>(i + 4));
    HeadOfTable head(HeadForm::kTop1F16, kRows, 4, four);
    const TensorMap out = head.Run();
    for (size_t t = 0; t < 4; ++t) {
      const auto id = static_cast<int64_t>(out.at("top_block").Floats()[t]) * 96 +
                      static_cast<int64_t>(out.at("top_lane").Floats()[t]);
      EXPECT_EQ(id, LowestArgMax(four[t])) << "token " << t;
    }
  }
}

TEST(HeadShard, Top1AndBlockMax_AgreeWithTheLogits) {
  constexpr int64_t kRows = 96 * 5;
  for (const auto& table : HardTables(kRows)) {
    HeadOfTable top(HeadForm::kTop1, kRows, 1, {table});
    EXPECT_EQ(top.Run().at("top_index").Ints()[0], LowestArgMax(table));
    HeadOfTable blocks(HeadForm::kBlockMax, kRows, 1, {table});
    const TensorMap out = blocks.Run();
    EXPECT_TRUE(std::equal(table.begin(), table.end(), out.at("logits").Floats().begin()));
    for (size_t b = 0; b < 5; ++b) {
      const auto first = table.begin() + static_cast<std::ptrdiff_t>(b * 96);
      EXPECT_EQ(out.at("block_max").Floats()[b], *std::max_element(first, first + 96));
    }
  }
}

}  // namespace
}  // namespace headway::mil
