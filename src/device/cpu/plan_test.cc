// What the device would compute otherwise than the graph says is refused before it is written.

#include "device/cpu/plan.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/text.h"

namespace headway::cpu {
namespace {

std::string Refusal(const std::string& text) {
  const auto graph = graph::Parse(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  const auto plan = MakePlan(*graph, 8);
  return plan ? "" : plan.error().message;
}

TEST(PlanTest, EmbeddingWithAnotherOp_IsRefused) {
  const std::string lookup = "weight table F32 8 32 0\nids ids\nx 32 = embedding @-1 ids table\n";
  EXPECT_EQ(Refusal(lookup + "output x\n"), "");
  EXPECT_EQ(Refusal(lookup + "y 32 = scale @-1 x factor=2\noutput y\n"),
            "cpu: value 'x': an embedding in one shard with other ops is not supported");
}

TEST(PlanTest, QueriesAndKeysByDifferentTables_AreRefused) {
  const auto with = [](const std::string& of_q, const std::string& of_k) {
    return Refusal(
        "weight w F32 48 32 0\ninput x 32\nall 48 = linear @0 x w\n"
        "q 16 = slice @0 all begin=0 end=16\n"
        "k 16 = slice @0 all begin=16 end=32\n"
        "v 16 = slice @0 all begin=32 end=48\n"
        "qr 16 = rotary @0 q pairs=0 n_rot=16 head_dim=16" +
        of_q +
        "\n"
        "kr 16 = rotary @0 k pairs=0 n_rot=16 head_dim=16" +
        of_k +
        "\n"
        "a 16 = attention @0 qr kr v layer=0 heads=1 kv_heads=1 head_dim=16 window=0 "
        "scale=0.25\noutput a\n");
  };
  EXPECT_EQ(with("", ""), "");
  EXPECT_EQ(with(" table=1", " table=1"), "");
  EXPECT_EQ(with(" table=1", ""), "cpu: value 'a': different rotary of q and k is not supported");
}

// A bias belongs to the product before it, which must be read by nobody else.
TEST(PlanTest, Bias_IsAPartOfItsProduct) {
  const std::string begin =
      "weight w F32 32 32 0\nweight b F32 - 32 0\ninput x 32\ny 32 = linear @0 x w\n";
  const auto graph = graph::Parse(begin +
                                  "z 32 = bias @0 y b\nu 32 = linear @0 x w\n"
                                  "s 32 = add @0 z u\noutput s\n");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const auto plan = MakePlan(*graph, 8);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  ASSERT_EQ(plan->phases.size(), 2U);
  const auto& parts = std::get<LinearPhase>(plan->phases[0]).parts;
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].bias, 1);
  EXPECT_EQ(parts[1].bias, -1);

  const std::string message = "a bias of anything but the product before it is not supported";
  EXPECT_EQ(Refusal(begin + "n 32 = scale @0 y factor=2\nz 32 = bias @0 n b\n"
                            "s 32 = add @0 z n\noutput s\n"),
            "cpu: value 'z': " + message);
  EXPECT_EQ(Refusal(begin + "z 32 = bias @0 y b\ns 32 = add @0 z y\noutput s\n"),
            "cpu: value 'z': " + message);
  EXPECT_EQ(Refusal(begin + "z 32 = bias @0 y b\noutput z\n"),
            "cpu: value 'z': a view as the shard's output is not supported");
}

// So does a soft cap, which comes before a bias could.
TEST(PlanTest, SoftCap_IsAPartOfItsProduct) {
  const std::string begin =
      "weight w F32 32 32 0\nweight b F32 - 32 0\ninput x 32\n"
      "y 32 = linear @0 x w soft_cap=30\n";
  const auto graph = graph::Parse(begin + "output y\n");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const auto plan = MakePlan(*graph, 8);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->LastProduct()->soft_cap, 30.0F);
  EXPECT_EQ(Refusal(begin + "z 32 = bias @0 y b\ns 32 = add @0 z z\noutput s\n"),
            "cpu: value 'z': a bias of anything but the product before it is not supported");
}

// A norm by heads, a scale and a gate share one phase: rows that one member computes.
TEST(PlanTest, RowOpsInARow_AreOnePhase) {
  const auto graph = graph::Parse(
      "weight gain F32 - 16 0\ninput x 32\n"
      "s 32 = scale @0 x factor=5.5\n"
      "n 32 = rms_norm @0 s gain eps=1e-06 group=16\n"
      "y 32 = geglu_tanh @0 n x\noutput y\n");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const auto plan = MakePlan(*graph, 8);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  ASSERT_EQ(plan->phases.size(), 1U);
  const auto& ops = std::get<RowsPhase>(plan->phases[0]).ops;
  ASSERT_EQ(ops.size(), 3U);
  EXPECT_EQ(ops[0].factor, 5.5F);
  EXPECT_EQ(ops[1].group, 16);
  EXPECT_EQ(ops[2].activation, graph::Activation::kGeluTanh);
}

}  // namespace
}  // namespace headway::cpu
