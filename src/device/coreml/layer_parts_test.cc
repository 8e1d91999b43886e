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
  EXPECT_EQ(rows(mil::LayerWeight::kFfnNorm, 0), (Rows{"m", 0, 16}));
  EXPECT_TRUE(found->Of(mil::LayerWeight::kFfnNorm)[0].is_vector);
  EXPECT_TRUE(found->form.HasPlainAttention());
  EXPECT_TRUE(found->form.norms_before);
  EXPECT_FALSE(found->form.norms_after || found->form.qkv_bias || found->form.gelu);
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

TEST(LayerPartsTest, Forms_AreFoundByTheirEdges) {
  const auto form = [](const graph::Graph& graph) {
    const auto found = FindLayerParts(graph, 3);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return found ? found->form : mil::LayerForm();
  };
  EXPECT_TRUE(form(With("swiglu", "geglu_tanh")).gelu);
  EXPECT_EQ(form(With("scale=0.25", "scale=0.5")).score_scale, 0.5F);
  EXPECT_EQ(form(With("window=0", "window=8")).window, 8);
  EXPECT_EQ(form(With("scale=0.25", "scale=0.25 soft_cap=50")).score_cap, 50.0F);
  const graph::Graph unrotated = With(
      "qr 16 = rotary @3 q pairs=0 n_rot=8 head_dim=16\n"
      "kr 16 = rotary @3 k pairs=0 n_rot=8 head_dim=16\n"
      "a 16 = attention @3 qr kr v",
      "a 16 = attention @3 q k v");
  EXPECT_FALSE(form(unrotated).rotary || form(unrotated).HasPlainAttention());
}

TEST(LayerPartsTest, ProductsOfALayerWithASoftCap_AreRefused) {
  EXPECT_EQ(
      Refusal(With("linear @3 h down", "linear @3 h down soft_cap=3")),
      "coreml: value 'd': expected the feed-forward's second product without a soft cap, found "
      "one of 3");
}

// A layer with everything that any has: Gemma 3's norms, biases, scales, a table and a window.
constexpr std::string_view kRichLayer =
    "weight n F32 - 16 0\n"
    "weight pn F32 - 16 0\n"
    "weight hn F32 - 8 0\n"
    "weight m F32 - 16 0\n"
    "weight pm F32 - 16 0\n"
    "weight qkv F32 48 16 0\n"
    "weight qb F32 - 48 0\n"
    "weight o F32 16 16 0\n"
    "weight ob F32 - 16 0\n"
    "weight gate F32 32 16 0\n"
    "weight up F32 32 16 0\n"
    "weight ub F32 - 32 0\n"
    "weight down F32 16 32 0\n"
    "input given 16\n"
    "x 16 = scale @3 given factor=4\n"
    "n1 16 = rms_norm @3 x n eps=1e-05\n"
    "product 48 = linear @3 n1 qkv\n"
    "all 48 = bias @3 product qb\n"
    "q 16 = slice @3 all begin=0 end=16\n"
    "k 16 = slice @3 all begin=16 end=32\n"
    "v 16 = slice @3 all begin=32 end=48\n"
    "qn 16 = rms_norm @3 q hn eps=1e-05 group=8\n"
    "kn 16 = rms_norm @3 k hn eps=1e-05 group=8\n"
    "qr 16 = rotary @3 qn pairs=1 n_rot=8 head_dim=8 table=1\n"
    "kr 16 = rotary @3 kn pairs=1 n_rot=8 head_dim=8 table=1\n"
    "a 16 = attention @3 qr kr v layer=3 heads=2 kv_heads=2 head_dim=8 window=4 scale=0.25\n"
    "p 16 = linear @3 a o\n"
    "pb 16 = bias @3 p ob\n"
    "pp 16 = rms_norm @3 pb pn eps=1e-05\n"
    "ps 16 = scale @3 pp factor=0.5\n"
    "x1 16 = add @3 x ps\n"
    "n2 16 = rms_norm @3 x1 m eps=1e-05\n"
    "g 32 = linear @3 n2 gate\n"
    "u0 32 = linear @3 n2 up\n"
    "u 32 = bias @3 u0 ub\n"
    "h 32 = geglu_tanh @3 g u\n"
    "d 16 = linear @3 h down\n"
    "dp 16 = rms_norm @3 d pm eps=1e-05\n"
    "ds 16 = scale @3 dp factor=0.5\n"
    "y 16 = add @3 x1 ds\n"
    "output y\n";

TEST(LayerPartsTest, RichestLayer_IsFound) {
  const auto graph = graph::Parse(std::string(kRichLayer));
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const auto found = FindLayerParts(*graph, 3);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  const mil::LayerForm& form = found->form;
  EXPECT_TRUE(form.norms_before && form.norms_after && form.head_norms && form.gelu);
  EXPECT_TRUE(form.qkv_bias && form.out_bias && form.gate_up_bias && !form.down_bias);
  EXPECT_EQ(std::tuple(form.rotary_table, form.window), std::tuple(1, 4));
  EXPECT_EQ(std::tuple(form.input_scale, form.branch_scale, form.score_scale),
            std::tuple(4.0F, 0.5F, 0.25F));
  EXPECT_EQ(graph->values[static_cast<size_t>(found->input)].name, "given");
  // The gate has no bias: zeros before those of the other product.
  const auto& biases = found->Of(mil::LayerWeight::kGateUpBias);
  ASSERT_EQ(biases.size(), 2U);
  EXPECT_EQ(biases[0].weight, nullptr);
  EXPECT_EQ(biases[1].weight->name, "ub");
  // Pairs become halves in matrices, biases and gains alike.
  EXPECT_EQ(found->Of(mil::LayerWeight::kQkv)[1].SourceRow(9), 16 + 8 + 2);
  EXPECT_EQ(found->Of(mil::LayerWeight::kQkvBias)[1].SourceRow(9), 16 + 8 + 2);
  EXPECT_EQ(found->Of(mil::LayerWeight::kQueryNorm)[0].SourceRow(1), 2);
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

TEST(LayerPartsTest, HalvesOfWhatAnotherHasWhole_AreRefused) {
  EXPECT_EQ(Refusal(With("qr 16 = rotary @3 q",
                         "qn 16 = rms_norm @3 q n eps=1e-05\nqr 16 = rotary @3 qn")),
            "coreml: value 'k': expected norms of queries and keys or of neither, found of one");
  EXPECT_EQ(Refusal(With("attention @3 qr kr v", "attention @3 qr k v")),
            "coreml: value 'k': expected rotary of queries and keys or of neither, found of one");
  EXPECT_EQ(Refusal(With("y 16 = add @3 x1 d",
                         "dn 16 = rms_norm @3 d n eps=1e-05\ny 16 = add @3 "
                         "x1 dn")),
            "coreml: value 'p': expected a norm after products, as in the feed-forward, found "
            "otherwise");
  EXPECT_EQ(
      Refusal(With("x1 16 = add @3 x p", "ps 16 = scale @3 p factor=0.22\nx1 16 = add @3 x ps")),
      "coreml: value 'p': expected the feed-forward's scale, 1, found 0.22");
}

TEST(LayerPartsTest, NodesMoreOrOtherwise_AreRefused) {
  EXPECT_EQ(Refusal(With("n1 16 = rms_norm @3 x n",
                         "s 16 = scale @3 x factor=2\nn1 16 = rms_norm @3 s n")),
            "coreml: value 's': expected what the residual sum adds to, 'x', found another value");
  EXPECT_EQ(Refusal(With("output y", "z 16 = scale @3 y factor=2\noutput z")),
            "coreml: value 'z': expected the feed-forward's residual sum (add), found scale");
  EXPECT_EQ(Refusal(With("y 16 = add", "z 16 = add @3 d d\ny 16 = add")),
            "coreml: value 'z': expected no other op, found add");
  EXPECT_EQ(Refusal(With("head_dim=16\nkr", "head_dim=16 table=1\nkr")),
            "coreml: value 'kr': expected the rotary of the queries, found another one");
  EXPECT_EQ(Refusal(With("rms_norm @3 x1 m eps=1e-05", "rms_norm @3 x1 m eps=1e-06")),
            "coreml: value 'n1': expected eps 1e-06, as before, found 1e-05");
}

}  // namespace
}  // namespace headway::coreml
