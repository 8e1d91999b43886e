#include "device/coreml/shards/layer_shard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "device/coreml/ir/printer.h"
#include "device/coreml/ir/verify.h"
#include "device/coreml/shards/layers_fixture.h"

namespace headway::mil {
namespace {

LayerShardSpec SmallSpec() {
  LayerShardSpec spec;
  spec.hidden_size = 32;
  spec.num_heads = 4;
  spec.num_kv_heads = 2;
  spec.head_dim = 8;
  spec.rotary_dims = 6;
  spec.intermediate_size = 48;
  spec.first_layer = 3;
  spec.num_layers = 2;
  spec.max_seq = 12;
  spec.weights = {.kind = WeightKind::kF16};
  return spec;
}

Histogram CountShard(const LayerShardSpec& spec) {
  MemoryBlobs blobs;
  const TestLayers layers(spec);
  const auto shard = BuildLayerShard(spec, layers.Source(), &blobs);
  EXPECT_TRUE(shard.has_value()) << shard.error().message;
  if (!shard) return {};
  const auto verified = VerifyModel(shard->model, &blobs);
  EXPECT_TRUE(verified.has_value()) << verified.error().message;
  return CountOps(*shard->model.program.functions.at("main").Body());
}

// Phi-4-mini's head counts (24 heads, 8 KV heads, partial rotary) at tiny widths.
LayerShardSpec PhiHeads(int num_layers) {
  LayerShardSpec spec = SmallSpec();
  spec.num_heads = 24;
  spec.num_kv_heads = 8;
  spec.num_layers = num_layers;
  spec.max_seq = 4;
  return spec;
}

// What a layer of this form has more than Llama's, at the shapes of several tokens.
int64_t OpsMore(const LayerForm& form, float residual_scale = 1.0F) {
  LayerShardSpec spec = SmallSpec();
  spec.num_layers = 1;
  spec.tokens = 2;
  const int64_t plain = CountShard(spec).num_compute;
  spec.forms = {form};
  spec.residual_scale = residual_scale;
  return CountShard(spec).num_compute - plain;
}

TEST(LayerShard, Forms_CostTheOpsThatTheyName) {
  EXPECT_EQ(OpsMore({}), 0);
  EXPECT_EQ(OpsMore({.norms_after = true}), 14);
  EXPECT_EQ(OpsMore({.norms_before = false, .norms_after = true}), 0);
  EXPECT_EQ(OpsMore({.head_norms = true}), 14);
  EXPECT_EQ(OpsMore({.rotary = false}), -22);
  EXPECT_EQ(OpsMore({.rotary_table = 1, .window = 4, .gelu = true}), 0);
  EXPECT_EQ(OpsMore({.qkv_bias = true, .out_bias = true, .gate_up_bias = true, .down_bias = true}),
            0);
  EXPECT_EQ(OpsMore({.input_scale = 4.0F, .branch_scale = 0.5F, .score_scale = 0.125F}), 3);
  // Of each product with a kv head's keys.
  EXPECT_EQ(OpsMore({.score_cap = 50.0F}), 2 * SmallSpec().num_kv_heads);
  // One number a token behind a norm; or the products' inputs, and nothing behind them.
  EXPECT_EQ(OpsMore({.norms_after = true}, 0.0625F), 14 + 2);
  EXPECT_EQ(OpsMore({.factors = {.heads = 0.0625F, .hidden = 0.0625F}}, 0.0625F), 2);
}

TEST(LayerShard, FormsThatContradictThemselves_AreRefused) {
  const auto refused = [](const LayerForm& form, float scale, size_t count) {
    LayerShardSpec spec = SmallSpec();
    spec.forms.assign(count, form);
    spec.residual_scale = scale;
    MemoryBlobs blobs;
    const TestLayers layers(spec);
    const auto shard = BuildLayerShard(spec, layers.Source(), &blobs);
    return !shard && shard.error().code == ErrorCode::kInvalidInput;
  };
  EXPECT_FALSE(refused({}, 1.0F, 2));
  EXPECT_TRUE(refused({}, 1.0F, 1));
  EXPECT_TRUE(refused({.norms_before = false}, 1.0F, 2));
  EXPECT_TRUE(refused({.norms_before = false, .norms_after = true}, 0.5F, 2));
  EXPECT_FALSE(refused({.norms_before = false, .norms_after = true, .head_norms = true}, 0.5F, 2));
  EXPECT_TRUE(refused({.out_bias = true, .factors = {.heads = 0.5F}}, 1.0F, 2));
}

TEST(LayerShard, OneLayer_HasThePublishedHistogram) {
  const Histogram histogram = CountShard(PhiHeads(1));
  const std::map<std::string, int64_t> published = {
      {"mul", 27},       {"pow", 2},          {"reduce_mean", 2}, {"add", 16},
      {"rsqrt", 2},      {"conv", 4},         {"squeeze", 10},    {"slice_by_index", 37},
      {"reshape", 5},    {"expand_dims", 10}, {"sub", 3},         {"concat", 3},
      {"read_state", 2}, {"slice_update", 2}, {"write_state", 2}, {"matmul", 16},
      {"softmax", 8},    {"silu", 1}};
  EXPECT_EQ(histogram.ops, published) << PrintHistogram(histogram);
  EXPECT_EQ(histogram.num_compute, 152);
}

TEST(LayerShard, ComputeOps_FollowTheFormula) {
  for (const int layers : {1, 2, 4, 6, 20}) {
    const Histogram partial = CountShard(PhiHeads(layers));
    EXPECT_EQ(partial.num_compute, 149 * layers + 3);
    EXPECT_EQ(partial.num_convs, 4 * layers);
    LayerShardSpec full = PhiHeads(layers);
    full.rotary_dims = full.head_dim;
    EXPECT_EQ(CountShard(full).num_compute, 145 * layers + 3);
  }
  for (const int64_t kv_heads : {1, 2, 4}) {
    LayerShardSpec spec = SmallSpec();
    spec.num_kv_heads = kv_heads;
    EXPECT_EQ(CountShard(spec).num_compute, (69 + 10 * kv_heads) * spec.num_layers + 3);
  }
}

TEST(LayerShard, OtherForms_HaveTheirOwnCounts) {
  LayerShardSpec spec = PhiHeads(2);
  spec.attention = AttentionForm::kBatched;  // 80 ops of the loop and the concat become 6
  EXPECT_EQ(CountShard(spec).num_compute, 74 * 2 + 3);
  spec = PhiHeads(2);
  spec.states = StateLayout::kUnified;  // one read and one write in all
  EXPECT_EQ(CountShard(spec).num_compute, 147 * 2 + 5);
  spec = PhiHeads(2);
  spec.tokens = 4;
  EXPECT_EQ(CountShard(spec).num_compute, 130 * 2 + 2);
  spec.flexible = true;
  EXPECT_EQ(CountShard(spec).num_compute, 130 * 2 + 2);
  // Twelve ops of states and blending a layer become two concats, and nothing is left outside.
  spec.flexible = false;
  spec.states = StateLayout::kOutside;
  EXPECT_EQ(CountShard(spec).num_compute, 120 * 2);
  spec.tokens = 1;
  EXPECT_EQ(CountShard(spec).num_compute, 120 * 2);
}

// Runs the shard over tokens, `widths` at a time. The worst difference of a hidden state from the
// formulas.
void Run(const LayerShardSpec& spec, const std::vector<int64_t>& widths, Precision precision,
         float input_size, double* worst) {
  MemoryBlobs blobs;
  const TestLayers layers(spec);
  const auto shard = BuildLayerShard(spec, layers.Source(), &blobs);
  ASSERT_TRUE(shard.has_value()) << shard.error().message;
  auto interpreter = Interpreter::Create(shard->model.program.functions.at("main"), &blobs,
                                         {.precision = precision});
  ASSERT_TRUE(interpreter.has_value()) << interpreter.error().message;
  TensorMap states = interpreter->NewStates();
  std::map<int, std::vector<std::vector<double>>> cache;
  const int64_t D = spec.hidden_size;
  int64_t position = 0;
  for (const int64_t T : widths) {
    std::vector<float> x(static_cast<size_t>(D * T));
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = input_size * RandomAt(99 + static_cast<uint64_t>(position), i);
    RoundToHalf(x);
    const auto out = interpreter->Run(StepInputs(spec, x, T, position), &states);
    ASSERT_TRUE(out.has_value()) << out.error().message;
    const Tensor& hidden = out->at("hidden");
    for (int64_t t = 0; t < T; ++t) {
      std::vector<double> token(static_cast<size_t>(D));
      for (int64_t c = 0; c < D; ++c)
        token[static_cast<size_t>(c)] = static_cast<double>(x[static_cast<size_t>(c * T + t)]);
      const std::vector<double> expected = layers.Step(token, position + t, &cache);
      for (int64_t c = 0; c < D; ++c) {
        const double found = hidden.Floats()[static_cast<size_t>(c * T + t)];
        *worst = std::max(*worst, std::abs(found - expected[static_cast<size_t>(c)]));
      }
    }
    position += T;
  }
}

double WorstDifference(const LayerShardSpec& spec, const std::vector<int64_t>& widths,
                       Precision precision, float input_size = 1) {
  double worst = 0;
  Run(spec, widths, precision, input_size, &worst);
  return testing::Test::HasFatalFailure() ? std::numeric_limits<double>::infinity() : worst;
}

void ExpectMatchesFormulas(const LayerShardSpec& spec, const std::vector<int64_t>& widths,
                           Precision precision, double tolerance) {
  EXPECT_LE(WorstDifference(spec, widths, precision), tolerance);
}

TEST(LayerShard, Interpreted_MatchesTheFormulas) {
  const std::vector<int64_t> singly(8, 1);
  // In binary32 only weights and inputs are fp16 (2^-11 each); with fp16 per op the rounding of
  // about 20 ops in a row adds up to a few 2^-11 of values up to 4.
  ExpectMatchesFormulas(SmallSpec(), singly, Precision::kF32, 0.01);
  ExpectMatchesFormulas(SmallSpec(), singly, Precision::kF16PerOp, 0.03);
  LayerShardSpec full = SmallSpec();
  full.rotary_dims = full.head_dim;
  ExpectMatchesFormulas(full, singly, Precision::kF32, 0.01);
}

// Rows of an embedding as small as those of real models: 0.01, whose scaled squares are 1e-6 at
// most and would lie among the last few fp16 numbers.
TEST(LayerShard, SmallInputs_NeedAFactorOfTheirOwn) {
  LayerShardSpec spec = SmallSpec();
  const std::vector<int64_t> singly(8, 1);
  EXPECT_GT(WorstDifference(spec, singly, Precision::kF16PerOp, 0.01F), 0.06);
  spec.first_norm_prescale = 128;
  EXPECT_LE(WorstDifference(spec, singly, Precision::kF16PerOp, 0.01F), 0.03);
  EXPECT_EQ(CountShard(spec).num_compute, CountShard(SmallSpec()).num_compute);
}

TEST(LayerShard, EveryForm_MatchesTheFormulas) {
  for (const AttentionForm attention : {AttentionForm::kPerHead, AttentionForm::kBatched}) {
    for (const StateLayout states : {StateLayout::kPerLayer, StateLayout::kUnified}) {
      LayerShardSpec spec = SmallSpec();
      spec.attention = attention;
      spec.states = states;
      ExpectMatchesFormulas(spec, std::vector<int64_t>(5, 1), Precision::kF32, 0.01);
      spec.tokens = 4;
      ExpectMatchesFormulas(spec, {4, 4}, Precision::kF32, 0.01);
      spec.flexible = true;
      ExpectMatchesFormulas(spec, {1, 3, 4, 2}, Precision::kF32, 0.01);
    }
  }
}

TEST(LayerShard, ColumnOfZeros_WritesNothing) {
  LayerShardSpec spec = SmallSpec();
  spec.tokens = 4;
  MemoryBlobs blobs;
  const TestLayers layers(spec);
  const auto shard = BuildLayerShard(spec, layers.Source(), &blobs);
  ASSERT_TRUE(shard.has_value());
  auto interpreter = Interpreter::Create(shard->model.program.functions.at("main"), &blobs, {});
  TensorMap states = interpreter->NewStates();
  std::vector<float> x(static_cast<size_t>(spec.hidden_size * 4), 0.5F);
  TensorMap inputs = StepInputs(spec, x, 4, 0);
  inputs["kv_write_mask"] = ZeroTensor(DType::kF16, {1, 1, spec.max_seq, 4});
  ASSERT_TRUE(interpreter->Run(inputs, &states).has_value());
  for (const auto& [name, state] : states) {
    for (const float value : state.Floats()) ASSERT_EQ(value, 0.0F) << name;
  }
}

TEST(LayerShard, Specs_ThatContradictThemselves_AreRejected) {
  MemoryBlobs blobs;
  LayerShardSpec spec = SmallSpec();
  const TestLayers layers(spec);
  spec.num_kv_heads = 3;
  EXPECT_NE(BuildLayerShard(spec, layers.Source(), &blobs)
                .error()
                .message.find("multiple of 3 kv heads, found 4"),
            std::string::npos);
  spec = SmallSpec();
  spec.rotary_dims = 7;
  EXPECT_FALSE(BuildLayerShard(spec, layers.Source(), &blobs).has_value());
}

}  // namespace
}  // namespace headway::mil
