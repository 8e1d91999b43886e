// Every pass keeps the oracle's values.

#include "graph/passes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/builder.h"
#include "graph/text.h"
#include "oracle/oracle.h"
#include "oracle/weights_fixture.h"

namespace headway::oracle {
namespace {

using graph::Graph;
using graph::ValueId;

constexpr int64_t kTokens = 3;
constexpr int64_t kChannels = 32;

// A block with everything passes look at: a gated product, a silu that is used twice (not to be
// fused), a product whose silu stands on the other side, and a dead branch.
Graph Example(TestWeights* weights) {
  graph::Builder b;
  const auto matrix = [&](const std::string& name, int64_t rows) {
    const graph::Weight weight{
        .name = name, .type = DataType::kQ8_0, .shape = Shape{rows, kChannels}};
    weights->Draw(weight);
    return b.AddWeight(weight);
  };
  const ValueId x = b.Input("x", kChannels);
  const ValueId both = b.Linear("gate_up", x, matrix("gate_up", 2 * kChannels));
  const ValueId gate = b.Slice("gate", both, 0, kChannels);
  const ValueId up = b.Slice("up", both, kChannels, 2 * kChannels);
  const ValueId fused = b.Mul("fused", b.Silu("silu", gate), up);
  const ValueId shared = b.Silu("shared", up);
  const ValueId product = b.Mul("product", shared, gate);
  const ValueId mirrored = b.Mul("mirrored", gate, b.Silu("right", fused));
  b.Add("dead", b.Linear("dead_linear", x, matrix("dead", kChannels)), x);
  b.Output(b.Add("y", b.Add("sum", b.Add("first", fused, product), mirrored), shared));
  auto graph = b.Finish();
  EXPECT_TRUE(graph) << graph.error().message;
  return *graph;
}

std::vector<double> Evaluate(const Graph& graph, const TestWeights& weights) {
  auto oracle = Oracle::Create(graph, weights.Reader());
  EXPECT_TRUE(oracle) << oracle.error().message;
  std::vector<double> x(kTokens * kChannels);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(1.0 + static_cast<double>(i * i));
  auto y = oracle->Run({.x = x});
  EXPECT_TRUE(y) << y.error().message;
  return *y;
}

TEST(PassesOracleTest, EachPassOfThePipeline_KeepsTheValues) {
  TestWeights weights;
  Graph graph = Example(&weights);
  const std::vector<double> expected = Evaluate(graph, weights);
  for (const graph::Pass& pass : graph::DefaultPasses()) {
    graph = pass.run(std::move(graph));
    ASSERT_TRUE(graph::Verify(graph)) << pass.name;
    EXPECT_EQ(Evaluate(graph, weights), expected) << pass.name << "\n" << graph::Print(graph);
  }
}

TEST(PassesOracleTest, Pipeline_FusedAndDroppedWhatItCould) {
  TestWeights weights;
  const auto graph = graph::RunPasses(Example(&weights), graph::DefaultPasses());
  ASSERT_TRUE(graph);
  const std::string text = graph::Print(*graph);
  EXPECT_NE(text.find("fused 32 = swiglu"), std::string::npos) << text;
  EXPECT_NE(text.find("product 32 = mul"), std::string::npos) << text;  // its silu has a second use
  EXPECT_EQ(text.find("dead"), std::string::npos) << text;
}

TEST(PassesOracleTest, TextForm_KeepsTheValues) {
  TestWeights weights;
  const Graph graph = Example(&weights);
  const auto parsed = graph::Parse(graph::Print(graph));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(Evaluate(*parsed, weights), Evaluate(graph, weights));
}

}  // namespace
}  // namespace headway::oracle
