#include "graph/graph.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/builder.h"
#include "graph/text.h"

namespace headway::graph {
namespace {

// One attention block and a SwiGLU, as the model builders make them.
Graph Example() {
  Builder b;
  const ValueId x = b.Input("x", 64);
  const WeightId gain = b.AddWeight({.name = "gain", .type = DataType::kF32, .shape = Shape{64}});
  const WeightId qkv =
      b.AddWeight({.name = "qkv", .type = DataType::kQ8_0, .shape = Shape{128, 64}});
  const WeightId gate_up =
      b.AddWeight({.name = "gate_up", .type = DataType::kQ4_0, .shape = Shape{192, 64}});
  const ValueId n = b.RmsNorm("n", x, gain, 1e-5F);
  const ValueId y = b.Linear("y", n, qkv);
  const RotaryAttributes rotary{.pairs = false, .n_rot = 24, .head_dim = 32};
  const ValueId q = b.Rotary("q_rot", b.Slice("q", y, 0, 64), rotary);
  const ValueId k = b.Rotary("k_rot", b.Slice("k", y, 64, 96), rotary);
  const ValueId a = b.Attention(
      "a", q, k, b.Slice("v", y, 96, 128),
      {.layer = 0, .num_heads = 2, .num_kv_heads = 1, .head_dim = 32, .window = 0, .scale = 0.25F});
  const ValueId g = b.Linear("g", a, gate_up);
  const ValueId gate = b.Slice("gate", g, 0, 96);
  const ValueId up = b.Slice("up", g, 96, 192);
  b.Output(b.Gate("m", Activation::kSilu, gate, up));
  auto graph = b.Finish();
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return *graph;
}

TEST(GraphTextTest, PrintParse_RoundTrip_IsEqual) {
  const Graph graph = Example();
  const auto back = Parse(Print(graph));
  EXPECT_FALSE(Parse(" "));  // a line without words
  EXPECT_FALSE(Parse("  \n" + Print(graph)));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(Print(*back), Print(graph));
}

TEST(GraphTextTest, Parse_AnyLineDamaged_IsAnErrorNotACrash) {
  const std::string text = Print(Example());
  for (size_t i = 0; i < text.size(); ++i) {
    for (const char c : {' ', '=', '9', '-', '\n', 'z'}) {
      std::string damaged = text;
      damaged[i] = c;
      const auto result = Parse(damaged);
      if (result) {
        EXPECT_TRUE(Verify(*result).has_value());
      }
    }
    EXPECT_TRUE(!Parse(text.substr(0, i)).has_value() ||
                Verify(*Parse(text.substr(0, i))).has_value());
  }
}

TEST(GraphTextTest, Print_IsWhatShardFilesHold) {
  EXPECT_EQ(Print(Example()),
            "weight gain F32 - 64 0\n"
            "weight qkv Q8_0 128 64 0\n"
            "weight gate_up Q4_0 192 64 0\n"
            "input x 64\n"
            "n 64 = rms_norm @0 x gain eps=1e-05\n"
            "y 128 = linear @0 n qkv\n"
            "q 64 = slice @0 y begin=0 end=64\n"
            "q_rot 64 = rotary @0 q pairs=0 n_rot=24 head_dim=32\n"
            "k 32 = slice @0 y begin=64 end=96\n"
            "k_rot 32 = rotary @0 k pairs=0 n_rot=24 head_dim=32\n"
            "v 32 = slice @0 y begin=96 end=128\n"
            "a 64 = attention @0 q_rot k_rot v layer=0 heads=2 kv_heads=1 head_dim=32 window=0 "
            "scale=0.25\n"
            "g 192 = linear @0 a gate_up\n"
            "gate 96 = slice @0 g begin=0 end=96\n"
            "up 96 = slice @0 g begin=96 end=192\n"
            "m 96 = swiglu @0 gate up\n"
            "output m\n");
}

// A bias, a norm by heads, another rotary table, a GELU gate and a scale.
TEST(GraphTextTest, WhatFewGraphsUse_IsReadAsPrinted) {
  Builder b;
  const ValueId x = b.Input("x", 64);
  const WeightId gain = b.AddWeight({.name = "gain", .type = DataType::kF32, .shape = Shape{32}});
  const WeightId bias = b.AddWeight({.name = "bias", .type = DataType::kF32, .shape = Shape{64}});
  const ValueId n = b.RmsNorm("n", b.Bias("y", x, bias), gain, 1e-6F);
  const ValueId r = b.Rotary("r", n, {.pairs = false, .n_rot = 32, .head_dim = 32, .table = 1});
  b.Output(b.Scale("s", b.Gate("g", Activation::kGeluTanh, r, x), 25.25F));
  const Graph graph = *b.Finish();
  EXPECT_EQ(Print(graph),
            "weight gain F32 - 32 0\n"
            "weight bias F32 - 64 0\n"
            "input x 64\n"
            "y 64 = bias @0 x bias\n"
            "n 64 = rms_norm @0 y gain eps=1e-06 group=32\n"
            "r 64 = rotary @0 n pairs=0 n_rot=32 head_dim=32 table=1\n"
            "g 64 = geglu_tanh @0 r x\n"
            "s 64 = scale @0 g factor=25.25\n"
            "output s\n");
  EXPECT_EQ(*Parse(Print(graph)), graph);
}

TEST(GraphTextTest, SoftCaps_AreReadAsPrinted) {
  Builder b;
  const ValueId x = b.Input("x", 64);
  const WeightId w = b.AddWeight({.name = "w", .type = DataType::kF32, .shape = Shape{32, 64}});
  const ValueId a = b.Attention("a", x, x, x,
                                {.layer = 0,
                                 .num_heads = 2,
                                 .num_kv_heads = 2,
                                 .head_dim = 32,
                                 .window = 8,
                                 .scale = 0.25F,
                                 .soft_cap = 50.0F});
  b.Output(b.Linear("y", a, w, 30.5F));
  const Graph graph = *b.Finish();
  EXPECT_EQ(Print(graph),
            "weight w F32 32 64 0\n"
            "input x 64\n"
            "a 64 = attention @0 x x x layer=0 heads=2 kv_heads=2 head_dim=32 window=8 scale=0.25 "
            "soft_cap=50\n"
            "y 32 = linear @0 a w soft_cap=30.5\n"
            "output y\n");
  EXPECT_EQ(*Parse(Print(graph)), graph);
  const auto with = [](const std::string& cap) {
    return Parse("weight w F32 32 64 0\ninput x 64\ny 32 = linear @0 x w" + cap + "\noutput y\n")
        .has_value();
  };
  EXPECT_TRUE(with(" soft_cap=30"));
  EXPECT_FALSE(with(" soft_cap=-30"));
  EXPECT_FALSE(with(" soft_cap=inf"));
  EXPECT_FALSE(with(" soft_cap=nan"));
  EXPECT_FALSE(with(" soft_cap=30 soft_cap=30"));
}

TEST(GraphTextTest, Parse_WordsThatNoOpKnows_AreRefused) {
  const auto with = [](const std::string& node) {
    return Parse("weight gain F32 - 32 0\ninput x 64\ny 64 = " + node + "\noutput y\n").has_value();
  };
  EXPECT_TRUE(with("rms_norm @0 x gain eps=1e-06 group=32"));
  EXPECT_FALSE(with("rms_norm @0 x gain eps=1e-06"));  // a gain shorter than the row
  EXPECT_FALSE(with("rms_norm @0 x gain eps=1e-06 group=24"));
  EXPECT_FALSE(with("rms_norm @0 x gain eps=1e-06 group=32 gropu_=32"));
  EXPECT_FALSE(with("rms_norm @0 x gain eps=1e-06 group=32 group=32"));
  EXPECT_FALSE(with("rotary @0 x pairs=0 n_rot=32 head_dim=32 table=-1"));
  EXPECT_FALSE(with("rotary @0 x pairs=0 n_rot=32 head_dim=32 table=16"));
  EXPECT_FALSE(with("scale @0 x"));
  EXPECT_FALSE(with("scale @0 x factor=inf"));
  EXPECT_TRUE(with("swiglu @0 x x"));
  EXPECT_FALSE(with("gate @0 x x"));  // a gate without its activation
  EXPECT_FALSE(with("silu @0 x"));
  EXPECT_FALSE(with("bias @0 x gain"));  // shorter than the row
}

TEST(GraphTextTest, Selections_AreReadAsPrinted) {
  Builder b;
  const ValueId x = b.Input("x", 130);
  b.Output(x);
  b.Output(b.BlockMax("x.block_max", x, 64));
  const Graph blocks = *b.Finish();
  EXPECT_EQ(Print(blocks),
            "input x 130\nx.block_max 3 = block_max @0 x rows=64\noutput x\noutput x.block_max\n");
  EXPECT_EQ(*Parse(Print(blocks)), blocks);
  EXPECT_FALSE(Parse("input x 130\ny 3 = block_max @0 x rows=0\noutput y\n"));
  EXPECT_FALSE(Parse("input x 130\ny 2 = block_max @0 x rows=64\noutput y\n"));
  EXPECT_FALSE(Parse("input x 130\ny 3 = block_max @0 x\noutput y\n"));
  EXPECT_FALSE(Parse("input x 130\ny 3 = top1 @0 x\noutput y\n"));
  EXPECT_TRUE(Parse("input x 130\ny 2 = top1 @0 x\noutput y\n"));
}

TEST(GraphVerifyTest, BrokenGraphs_AreRefusedWithTheNode) {
  const auto message = [](void (*damage)(Graph*)) {
    Graph graph = Example();
    damage(&graph);
    const auto result = Verify(graph);
    return result ? std::string() : result.error().message;
  };
  EXPECT_NE(message([](Graph* g) { g->nodes[0].inputs[0] = 99; }).find("node 0 (rms_norm)"),
            std::string::npos);
  EXPECT_NE(message([](Graph* g) { std::swap(g->nodes[0], g->nodes[1]); }), "");
  EXPECT_NE(message([](Graph* g) {
              g->weights[1].shape = Shape{128, 32};
            }).find("node 1 (linear)"),
            std::string::npos);
  EXPECT_NE(
      message([](Graph* g) { g->nodes[2].attributes = SliceAttributes{.begin = 0, .end = 1000}; }),
      "");
  EXPECT_NE(message([](Graph* g) { g->nodes[3].attributes = std::monostate{}; }), "");
  EXPECT_NE(message([](Graph* g) { g->values[1].name = g->values[2].name; }), "");
  EXPECT_NE(message([](Graph* g) { g->outputs[0] = -1; }), "");
}

}  // namespace
}  // namespace headway::graph
