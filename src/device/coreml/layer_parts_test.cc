// Layers that the shard builders would write as something else than the graph says are refused.

#include "device/coreml/layer_parts.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "graph/text.h"

namespace headway::coreml {
namespace {

// A layer of one query and one key-value head of 16 channels, fused projections.
constexpr std::string_view kLayer =
    "weight n F32 - 16 0\n"
    "weight m F32 - 16 0\n"
    "weight qkv F32 48 16 0\n"
    "weight o F32 16 16 0\n"
    "weight up F32 64 16 0\n"
    "weight down F32 16 32 0\n"
    "input x 16\n"
    "n1 16 = rms_norm @3 x n eps=1e-05\n"
    "all 48 = linear @3 n1 qkv\n"
    "q 16 = slice @3 all begin=0 end=16\n"
    "k 16 = slice @3 all begin=16 end=32\n"
    "v 16 = slice @3 all begin=32 end=48\n"
    "qr 16 = rotary @3 q pairs=0 n_rot=8 head_dim=16\n"
    "kr 16 = rotary @3 k pairs=0 n_rot=8 head_dim=16\n"
    "a 16 = attention @3 qr kr v layer=3 heads=1 kv_heads=1 head_dim=16 window=0 scale=0.25\n"
    "p 16 = linear @3 a o\n"
    "x1 16 = add @3 x p\n"
    "n2 16 = rms_norm @3 x1 m eps=1e-05\n"
    "both 64 = linear @3 n2 up\n"
    "g 32 = slice @3 both begin=0 end=32\n"
    "u 32 = slice @3 both begin=32 end=64\n"
    "h 32 = swiglu @3 g u\n"
    "d 16 = linear @3 h down\n"
    "y 16 = add @3 x1 d\n"
    "output y\n";

// The layer with one text in place of another.
graph::Graph With(const std::string& from = "", const std::string& to = "") {
  std::string text(kLayer);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return *std::move(graph);
}

std::string Refusal(const graph::Graph& graph) {
  const auto found = FindLayerParts(graph, 3);
  return found ? "" : found.error().message;
}

TEST(LayerPartsTest, FusedProjections_AreRowsOfTheirMatrix) {
  const graph::Graph graph = With();
  const auto found = FindLayerParts(graph, 3);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const auto rows = [&](mil::LayerWeight weight, size_t part) {
    const WeightPart& found_part = found->Of(weight)[part];
    return std::tuple(found_part.weight->name, found_part.first_row, found_part.num_rows);
  };
  using Rows = std::tuple<std::string, int64_t, int64_t>;
  EXPECT_EQ(rows(mil::LayerWeight::kQkv, 1), (Rows{"qkv", 16, 16}));
  EXPECT_EQ(rows(mil::LayerWeight::kGateUp, 0), (Rows{"up", 0, 32}));
  EXPECT_EQ(rows(mil::LayerWeight::kGateUp, 1), (Rows{"up", 32, 32}));
  EXPECT_EQ(rows(mil::LayerWeight::kFfnNorm, 0), (Rows{"m", 0, 1}));
  EXPECT_EQ(graph.values[static_cast<size_t>(found->input)].name, "x");
}

TEST(LayerPartsTest, OperandsOfSums_MayStandEitherWay) {
  EXPECT_EQ(Refusal(With("add @3 x p", "add @3 p x")), "");
  EXPECT_EQ(Refusal(With("add @3 x1 d", "add @3 d x1")), "");
}

TEST(LayerPartsTest, RowsOfAnotherOrder_AreTakenWhereTheyStand) {
  graph::Graph graph =
      With("g 32 = slice @3 both begin=0 end=32", "g 32 = slice @3 both begin=32 end=64");
  const auto found = FindLayerParts(graph, 3);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->Of(mil::LayerWeight::kGateUp)[0].first_row, 32);
}

TEST(LayerPartsTest, AnotherActivation_IsRefused) {
  EXPECT_EQ(Refusal(With("swiglu", "geglu_tanh")),
            "coreml: value 'h': expected a gate by silu (swiglu), found geglu_tanh");
}

TEST(LayerPartsTest, AnotherDataflow_IsRefused) {
  EXPECT_EQ(Refusal(With("both 64 = linear @3 n2 up", "both 64 = linear @3 n1 up")),
            "coreml: value 'x': expected what the residual sum adds to, 'x1', found another value");
  EXPECT_EQ(Refusal(With("n2 16 = rms_norm @3 x1 m", "n2 16 = rms_norm @3 x m")),
            "coreml: value 'x': expected what the residual sum adds to, 'x1', found another value");
  EXPECT_EQ(Refusal(With("y 16 = add @3 x1 d", "y 16 = add @3 x d")),
            "coreml: value 'x1': expected what the residual sum adds to, 'x', found another value");
  EXPECT_EQ(Refusal(With("attention @3 qr kr v", "attention @3 qr kr kr")),
            "coreml: value 'kr': expected the product of values (linear), found rotary");
}

TEST(LayerPartsTest, NormsOfHeads_AreRefused) {
  EXPECT_EQ(Refusal(With("qr 16 = rotary @3 q",
                         "qn 16 = rms_norm @3 q n eps=1e-05\nqr 16 = rotary @3 qn")),
            "coreml: value 'qn': expected the product of queries (linear), found rms_norm");
}

// Qwen 2, SmolLM3, Gemma 3, Granite.
TEST(LayerPartsTest, LayersOfOtherModels_AreRefused) {
  EXPECT_EQ(Refusal(With("q 16 = slice @3 all begin=0 end=16",
                         "q0 16 = slice @3 all begin=0 end=16\nq 16 = bias @3 q0 n")),
            "coreml: value 'q': expected the product of queries (linear), found bias");
  EXPECT_EQ(Refusal(With("attention @3 qr kr v", "attention @3 q k v")),
            "coreml: value 'q': expected rotary of queries (rotary), found slice");
  EXPECT_EQ(Refusal(With("y 16 = add @3 x1 d",
                         "dn 16 = rms_norm @3 d n eps=1e-05\ny 16 = add @3 "
                         "x1 dn")),
            "coreml: value 'dn': expected the feed-forward's second product (linear), found "
            "rms_norm");
  EXPECT_EQ(
      Refusal(With("x1 16 = add @3 x p", "ps 16 = scale @3 p factor=0.22\nx1 16 = add @3 x ps")),
      "coreml: value 'ps': expected the attention's output product (linear), found scale");
}

TEST(LayerPartsTest, NodesMoreOrOtherwise_AreRefused) {
  EXPECT_EQ(Refusal(With("n1 16 = rms_norm @3 x n",
                         "s 16 = scale @3 x factor=2\nn1 16 = rms_norm @3 s n")),
            "coreml: value 's': expected what the residual sum adds to, 'x', found another value");
  EXPECT_EQ(Refusal(With("output y", "z 16 = scale @3 y factor=2\noutput z")),
            "coreml: value 'z': expected the feed-forward's residual sum (add), found scale");
  EXPECT_EQ(Refusal(With("y 16 = add", "z 16 = add @3 d d\ny 16 = add")),
            "coreml: value 'z': expected no other op, found add");
  EXPECT_EQ(
      Refusal(With("head_dim=16\nkr", "head_dim=16 table=1\nkr")),
      "coreml: value 'qr': expected rotary of the attention's heads by table 0, found heads of 16 "
      "and table 1");
  EXPECT_EQ(Refusal(With("scale=0.25", "scale=0.5")),
            "coreml: value 'a': expected a scale of 1 / sqrt(head_dim), found 0.5");
  EXPECT_EQ(Refusal(With("rms_norm @3 x1 m eps=1e-05", "rms_norm @3 x1 m eps=1e-06")),
            "coreml: value 'n1': expected eps 1e-06, as before, found 1e-05");
}

}  // namespace
}  // namespace headway::coreml
