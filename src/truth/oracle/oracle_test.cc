#include "truth/oracle/oracle.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/builder.h"
#include "truth/oracle/weights_fixture.h"

namespace headway::oracle {
namespace {

using Doubles = std::vector<double>;

void ExpectNear(const Doubles& found, const Doubles& expected, double tolerance = 1e-12) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

// One graph, its weights, and steps through it.
struct Bench {
  graph::Builder builder;
  TestWeights weights;
  OracleOptions options = {};

  graph::WeightId Weight(const std::string& name, DataType type, const Shape& shape,
                         std::vector<float> values) {
    weights.Set(name, shape.Columns(), std::move(values));
    return builder.AddWeight({.name = name, .type = type, .shape = shape});
  }
  Oracle Finish(graph::ValueId output) {
    builder.Output(output);
    auto graph = builder.Finish();
    EXPECT_TRUE(graph) << graph.error().message;
    auto oracle = Oracle::Create(*std::move(graph), weights.Reader(), options);
    EXPECT_TRUE(oracle) << oracle.error().message;
    return *std::move(oracle);
  }
};

TEST(OracleTest, Embedding_IsTheRowsOfTheTable) {
  Bench b;
  const auto table = b.Weight("table", DataType::kF32, Shape{3, 2}, {1, 2, 3, 4, 5, 6});
  Oracle oracle = b.Finish(b.builder.Embedding("x", b.builder.TokenIds("ids"), table));
  ExpectNear(*oracle.Run({.ids = {2, 0}}), {5, 6, 1, 2});
  EXPECT_EQ(oracle.Run({.ids = {0, 3}}).error().message,
            "oracle: token: expected an id from 0 to 2, found 3");
}

TEST(OracleTest, RmsNorm_DividesByTheRootOfTheMeanSquare) {
  Bench b;
  const auto gain = b.Weight("gain", DataType::kF32, Shape{2}, {2, 0.5});
  Oracle oracle = b.Finish(b.builder.RmsNorm("y", b.builder.Input("x", 2), gain, 0.5F));
  // mean(1, 49) + 0.5 = 25.5; mean(0, 0) + 0.5 = 0.5
  ExpectNear(*oracle.Run({.x = {1, 7, 0, 0}}), {2 / std::sqrt(25.5), 3.5 / std::sqrt(25.5), 0, 0});
}

TEST(OracleTest, RmsNorm_OfGroups_EachByItself) {
  Bench b;
  const auto gain = b.Weight("gain", DataType::kF32, Shape{2}, {2, 0.5});
  Oracle oracle = b.Finish(b.builder.RmsNorm("y", b.builder.Input("x", 4), gain, 0.5F));
  ExpectNear(*oracle.Run({.x = {1, 7, 0, 3}}),
             {2 / std::sqrt(25.5), 3.5 / std::sqrt(25.5), 0, 1.5 / std::sqrt(5.0)});
}

TEST(OracleTest, Linear_MultipliesByTheRowsFromRowBegin) {
  Bench b;
  b.weights.Set("w", 2, {9, 9, 1, 2, 3, 4, 5, 6});
  const auto w = b.builder.AddWeight(
      {.name = "w", .type = DataType::kF32, .shape = Shape{2, 2}, .row_begin = 1});
  Oracle oracle = b.Finish(b.builder.Linear("y", b.builder.Input("x", 2), w));
  ExpectNear(*oracle.Run({.x = {10, 1, 0, -1}}), {12, 34, -2, -4});
}

TEST(OracleTest, Bias_IsAddedToEachToken) {
  Bench b;
  const auto bias = b.Weight("bias", DataType::kF32, Shape{2}, {0.5, -1});
  Oracle oracle = b.Finish(b.builder.Bias("y", b.builder.Input("x", 2), bias));
  ExpectNear(*oracle.Run({.x = {1, 2, 3, 4}}), {1.5, 1, 3.5, 3});
}

// The largest value of the block is 127, so the step is 1 and values become integers, ties to even.
TEST(OracleTest, LinearOfAQuantisedType_RoundsActivationsToEightBits) {
  std::vector<float> ones(32, 1.0F);
  Doubles x(32, 0.0);
  x[0] = -127;
  x[1] = 2.5;
  x[2] = 3.5;
  x[31] = 0.4;
  for (const bool quantise : {true, false}) {
    Bench b;
    b.options.quantise_activations = quantise;
    const auto w = b.Weight("w", DataType::kQ8_0, Shape{1, 32}, ones);
    Oracle oracle = b.Finish(b.builder.Linear("y", b.builder.Input("x", 32), w));
    ExpectNear(*oracle.Run({.x = x}), {quantise ? -127.0 + 2 + 4 : -127 + 2.5 + 3.5 + 0.4});
    ExpectNear(*oracle.Run({.x = Doubles(32, 1e-35)}), {quantise ? 0.0 : 32e-35}, 1e-45);
  }
}

TEST(OracleTest, Selections_TakeTheLargestAndTheFirstOfEquals) {
  const Doubles x = {1, 5, 5, -2, 0, -1, -3, -1, -7, -2};
  Bench top;
  Oracle top1 = top.Finish(top.builder.Top1("y", top.builder.Input("x", 5)));
  ExpectNear(*top1.Run({.x = x}), {5, 1, -1, 0});
  Bench blocks;
  Oracle maxima = blocks.Finish(blocks.builder.BlockMax("y", blocks.builder.Input("x", 5), 2));
  ExpectNear(*maxima.Run({.x = x}), {5, 5, 0, -1, -1, -2});
}

TEST(OracleTest, Slice_TakesChannelsOfEveryToken) {
  Bench b;
  Oracle oracle = b.Finish(b.builder.Slice("y", b.builder.Input("x", 3), 1, 3));
  ExpectNear(*oracle.Run({.x = {1, 2, 3, 4, 5, 6}}), {2, 3, 5, 6});
}

TEST(OracleTest, Rotary_TurnsHalvesOrPairsAndLeavesTheRest) {
  const Doubles cos = {0, 1};  // a quarter turn of the first pair, none of the second
  const Doubles sin = {1, 0};
  for (const bool pairs : {false, true}) {
    Bench b;
    const graph::RotaryAttributes rotary{.pairs = pairs, .n_rot = 4, .head_dim = 5};
    Oracle oracle = b.Finish(b.builder.Rotary("y", b.builder.Input("x", 10), rotary));
    const auto y = oracle.Run({.x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, .rotary = {{cos, sin}}});
    ExpectNear(*y, pairs ? Doubles{-2, 1, 3, 4, 5, -7, 6, 8, 9, 10}
                         : Doubles{-3, 2, 1, 4, 5, -8, 7, 6, 9, 10});
    EXPECT_EQ(oracle.Run({.x = Doubles(10), .rotary = {{cos, {}}}}).error().message,
              "oracle: rotary table: expected 2 values, found 0");
    EXPECT_EQ(oracle.Run({.x = Doubles(10)}).error().message,
              "oracle: rotary tables: expected table 0, found 0");
  }
}

TEST(OracleTest, Elementwise_DoWhatTheirNamesSay) {
  const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
  const Doubles x = {-2, 3};
  const auto run = [&](auto build) {
    Bench b;
    const graph::ValueId in = b.builder.Input("x", 2);
    return *b.Finish(build(b.builder, in)).Run({.x = x});
  };
  using B = graph::Builder;
  using V = graph::ValueId;
  // Of the tanh form, from the table of a published implementation (PyTorch's gelu, "tanh").
  const double gelu_minus_2 = -0.045402306;
  const double gelu_3 = 2.996362608;
  using graph::Activation;
  ExpectNear(run([](B& b, V in) { return b.Gate("y", Activation::kSilu, in, in); }),
             {-2 * silu(-2), 3 * silu(3)});
  ExpectNear(run([](B& b, V in) { return b.Gate("y", Activation::kGeluTanh, in, in); }),
             {-2 * gelu_minus_2, 3 * gelu_3}, 1e-7);
  ExpectNear(run([](B& b, V in) { return b.Scale("y", in, 0.5F); }), {-1, 1.5});
  ExpectNear(run([](B& b, V in) { return b.Add("y", in, in); }), {-4, 6});
}

// Two query heads of one channel share one kv head; x is [q0 q1 k v].
Oracle AttentionOracle(int64_t window, bool kv_f16, float soft_cap = 0.0F) {
  Bench b;
  b.options.kv_f16 = kv_f16;
  const graph::ValueId x = b.builder.Input("x", 4);
  const graph::AttentionAttributes attributes{.layer = 0,
                                              .num_heads = 2,
                                              .num_kv_heads = 1,
                                              .head_dim = 1,
                                              .window = window,
                                              .scale = 0.5F,
                                              .soft_cap = soft_cap};
  const auto q = b.builder.Slice("q", x, 0, 2);
  const auto k = b.builder.Slice("k", x, 2, 3);
  const auto v = b.builder.Slice("v", x, 3, 4);
  return b.Finish(b.builder.Attention("y", q, k, v, attributes));
}

TEST(OracleTest, Attention_WeighsValuesBySoftmaxOfScores) {
  Oracle oracle = AttentionOracle(0, true);
  // Token 1, head 0: scores 0.5 * 2 * (1, 3); head 1: 0.5 * -1 * (1, 3).
  const double a = 1 / (1 + std::exp(2.0));
  const double b = 1 / (1 + std::exp(-1.0));
  ExpectNear(*oracle.Run({.x = {7, 8, 1, 10, 2, -1, 3, 20}}),
             {10, 10, 10 * a + 20 * (1 - a), 10 * b + 20 * (1 - b)});
}

TEST(OracleTest, Attention_CapsScoresOnceTheyAreScaled) {
  Oracle oracle = AttentionOracle(0, true, 2.0F);
  // Token 1, head 0: scores 1 and 3 as above, capped at 2; head 1: -0.5 and -1.5.
  const auto first = [](double score, double other) {
    return 1 / (1 + std::exp(2 * std::tanh(other / 2) - 2 * std::tanh(score / 2)));
  };
  const double a = first(1, 3);
  const double b = first(-0.5, -1.5);
  ExpectNear(*oracle.Run({.x = {7, 8, 1, 10, 2, -1, 3, 20}}),
             {10, 10, 10 * a + 20 * (1 - a), 10 * b + 20 * (1 - b)});
}

TEST(OracleTest, Attention_TokenByToken_EqualsAllAtOnce) {
  const Doubles x = {1, 2, 0.3, 4, -1, 0.5, 2, 5, 3, 1, -1, 6, 0.1, 0.2, 0.3, 0.4};
  for (const int64_t window : {0, 1, 2, 3}) {
    Oracle whole = AttentionOracle(window, true);
    const Doubles expected = *whole.Run({.x = x});
    Oracle stepwise = AttentionOracle(window, true);
    Doubles found;
    for (int64_t t = 0; t < 4; ++t) {
      const auto y = stepwise.Run(
          {.x = Doubles(x.begin() + 4 * t, x.begin() + 4 * t + 4), .first_position = t});
      found.insert(found.end(), y->begin(), y->end());
    }
    EXPECT_EQ(found, expected) << "window " << window;
    // Going back forgets what came after.
    const auto again =
        stepwise.Run({.x = Doubles(x.begin() + 4, x.begin() + 8), .first_position = 1});
    EXPECT_EQ(*again, Doubles(expected.begin() + 2, expected.begin() + 4)) << "window " << window;
    EXPECT_EQ(stepwise.Run({.x = Doubles(4), .first_position = 3}).error().message,
              "oracle: first position: expected 0 to 2, found 3");
  }
}

TEST(OracleTest, Attention_WindowOfOne_IsTheOwnValueInHalfPrecision) {
  Oracle half = AttentionOracle(1, true);
  ExpectNear(*half.Run({.x = {1, 1, 1, 1 + 0x1p-12, 1, 1, 1, 2049}}), {1, 1, 2048, 2048});
  Oracle whole = AttentionOracle(1, false);
  ExpectNear(*whole.Run({.x = {1, 1, 1, 1 + 0x1p-12, 1, 1, 1, 2049}}),
             {1 + 0x1p-12, 1 + 0x1p-12, 2049, 2049});
}

TEST(OracleTest, InputsThatDoNotFit_AreRefused) {
  Oracle oracle = AttentionOracle(0, true);
  EXPECT_EQ(oracle.Run({.x = Doubles(5)}).error().message,
            "oracle: x: expected rows of 4, found 5");
  EXPECT_EQ(oracle.Run({}).error().message, "oracle: x: expected rows of 4, found 0");
}

}  // namespace
}  // namespace headway::oracle
