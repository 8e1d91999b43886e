#include "graph/cut.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/builder.h"
#include "graph/text.h"

namespace headway::graph {
namespace {

std::string TopologyError(const std::string& text, int64_t num_layers) {
  const auto result = ParseTopology(text, num_layers);
  return result ? "" : result.error().message;
}

TEST(TopologyTest, Group_DividesWithAShorterRest) {
  EXPECT_EQ(TopologyText(*ParseTopology("6", 32)), "0:6,6:12,12:18,18:24,24:30,30:32");
  EXPECT_EQ(TopologyText(*ParseTopology("40", 32)), "0:32");
  EXPECT_EQ(TopologyText(*ParseTopology("1", 3)), "0:1,1:2,2:3");
}

TEST(TopologyTest, Explicit_AnyCover_IsLegal) {
  EXPECT_EQ(TopologyText(*ParseTopology("0:20,20:24,24:30,30:32", 32)), "0:20,20:24,24:30,30:32");
}

TEST(TopologyTest, Explicit_Broken_SaysWhere) {
  EXPECT_EQ(TopologyError("0:5,6:12", 12),
            "topology '0:5,6:12': gap: layers [5, 6) are in no shard");
  EXPECT_EQ(TopologyError("0:7,6:12", 12),
            "topology '0:7,6:12': overlap: layers [6, 7) are in two shards");
  EXPECT_EQ(TopologyError("0:6,6:13", 12),
            "topology '0:6,6:13': layer 12 is beyond the last layer, 11");
  EXPECT_EQ(TopologyError("0:6", 12), "topology '0:6': gap: layers [6, 12) are in no shard");
  EXPECT_EQ(TopologyError("0", 12), "topology '0': expected at least one layer a shard");
  for (const std::string text :
       {"", "x", "0:", "3:3", "0:6,", "-1:3", "0:6;6:12", "9999999999999999999999"}) {
    EXPECT_NE(TopologyError(text, 12), "") << text;
  }
}

TEST(SplitVocabularyTest, AnyCount_CoversWithGranules) {
  for (const int64_t vocab : {16, 320, 8192, 8200, 200064}) {
    for (int64_t n = 1; n <= std::min<int64_t>(64, vocab / 16); ++n) {
      const auto ranges = SplitVocabulary(vocab, n);
      ASSERT_TRUE(ranges.has_value());
      int64_t next = 0;
      for (const Range& range : *ranges) {
        EXPECT_EQ(range.begin, next);
        EXPECT_LT(range.begin, range.end);
        EXPECT_EQ(range.begin % kHeadRowGranule, 0);
        next = range.end;
      }
      EXPECT_EQ(next, vocab);
    }
  }
  EXPECT_EQ((*SplitVocabulary(200064, 4))[1], (Range{.begin = 50016, .end = 100032}));
}

TEST(SplitVocabularyTest, ZeroOrTooMany_IsRefused) {
  EXPECT_EQ(SplitVocabulary(200064, 0).error().message,
            "head shards: expected 1 to 64 for a vocabulary of 200064 tokens, found 0");
  EXPECT_FALSE(SplitVocabulary(200064, 65).has_value());
  EXPECT_FALSE(SplitVocabulary(320, 21).has_value());
}

// embedding @-1, two layers of one linear and a residual, a head with norm and linear.
Graph TwoLayers() {
  Builder b;
  const auto weight = [&](const std::string& name, int64_t rows) {
    return b.AddWeight({.name = name, .type = DataType::kF32, .shape = Shape{rows, 32}});
  };
  b.SetStage(-1);
  ValueId x = b.Embedding("x", b.TokenIds("ids"), weight("table", 48));
  for (int64_t layer = 0; layer < 2; ++layer) {
    b.SetStage(layer);
    const std::string n = std::to_string(layer);
    x = b.Add("x" + n, b.Linear("y" + n, x, weight("w" + n, 32)), x);
  }
  b.SetStage(2);
  const auto gain = b.AddWeight({.name = "gain", .type = DataType::kF32, .shape = Shape{32}});
  b.Output(b.Linear("logits", b.RmsNorm("n", x, gain, 1e-5F), weight("head", 48)));
  return *b.Finish();
}

TEST(CutStagesTest, EachStage_HasOneValueInAndOneOut) {
  const Graph graph = TwoLayers();
  EXPECT_EQ(Print(*CutStages(graph, {.begin = 1, .end = 2})),
            "weight w1 F32 32 32 0\n"
            "input x0 32\n"
            "y1 32 = linear @1 x0 w1\n"
            "x1 32 = add @1 y1 x0\n"
            "output x1\n");
  EXPECT_EQ(CutStages(graph, {.begin = -1, .end = 3})->nodes.size(), graph.nodes.size());
  EXPECT_FALSE(CutStages(graph, {.begin = 5, .end = 6}).has_value());
}

TEST(CutEmbeddingTest, AnythingButOneLookup_IsRefused) {
  const auto cut = [](int64_t stage_of_scale) {
    Builder b;
    const WeightId table =
        b.AddWeight({.name = "table", .type = DataType::kF32, .shape = Shape{48, 32}});
    b.SetStage(-1);
    ValueId x = b.Embedding("x", b.TokenIds("ids"), table);
    b.SetStage(stage_of_scale);
    x = b.Scale("scaled", x, 2.0F);
    b.SetStage(0);
    b.Output(b.Add("y", x, x));
    return CutEmbedding(*b.Finish());
  };
  EXPECT_EQ(cut(-1).error().message,
            "graph cut: stage -1: expected one embedding, found 2 nodes that end with scale");
  EXPECT_EQ(Print(*cut(0)),
            "weight table F32 48 32 0\nids ids\nx 32 = embedding @-1 ids table\noutput x\n");
}

TEST(CutHeadRowsTest, Rows_KeepTheirPlaceInTheMatrix) {
  const auto head = CutStages(TwoLayers(), {.begin = 2, .end = 3});
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(Print(*CutHeadRows(*head, {.begin = 16, .end = 48})),
            "weight gain F32 - 32 0\n"
            "weight head F32 32 32 16\n"
            "input x1 32\n"
            "n 32 = rms_norm @2 x1 gain eps=1e-05\n"
            "logits 32 = linear @2 n head\n"
            "output logits\n");
  EXPECT_FALSE(CutHeadRows(*head, {.begin = 16, .end = 49}).has_value());
}

}  // namespace
}  // namespace headway::graph
