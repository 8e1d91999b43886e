// What the cpu device computes from an emitted shard file against the oracle on the same stored
// weights, op by op, within bounds derived from the roundings that docs/arithmetic.md lists.

#include <gtest/gtest.h>

#include <cmath>

#include "shard_fixture.h"
#include "tensor/data_type.h"

namespace headway::parity {
namespace {

using graph::ValueId;

constexpr double kUnit = 0x1p-24;  // rounding to binary32: |rounded - x| <= kUnit |x|

// Higham's gamma: n roundings in a row change a sum of products by at most Gamma(n) times the sum
// of absolute products.
double Gamma(double n) { return n * kUnit / (1 - n * kUnit); }

// A product alone: both sides round the same binary32 input to the same 8-bit codes, so only the
// products' own roundings stay. Quantised: per block two fused steps, one rounding each, and at
// most three more in the factors of a step; the oracle's weights carry one. Terms: a weight is code
// * scale + offset, both at most the block's largest weight in size up to a factor of two (the
// synthetic blocks have code 0 or the largest code at their extremes), so 4 max|w| |x| bounds a
// term of both. Float: a chain of D / 4 and two additions.
TEST_F(ShardOracleTest, Product_WithinItsRoundings) {
  constexpr int64_t kRows = 48;
  constexpr int64_t kColumns = 512;
  constexpr int64_t kTokens = 11;
  for (const DataType type :
       {DataType::kF32, DataType::kF16, DataType::kBF16, DataType::kQ8_0, DataType::kQ4_0,
        DataType::kQ4_1, DataType::kQ5_0, DataType::kQ5_1, DataType::kQ4_K, DataType::kQ5_K,
        DataType::kQ6_K, DataType::kQ2_K, DataType::kQ3_K, DataType::kIQ4_NL, DataType::kIQ4_XS,
        DataType::kMXFP4}) {
    graph::Builder b;
    StoredTensors tensors;
    inputs_.clear();
    const ValueId x = b.Input("x", kColumns);
    b.Output(b.Linear("y", x, tensors.Add(&b, "w", type, kRows, kColumns)));
    const auto source = [&](const std::string& name) { return tensors.View(name); };
    const Outputs out = RunBoth(*b.Finish(), source, {kTokens});
    std::vector<float> w(kRows * kColumns);
    ASSERT_TRUE(ReaderOf(source)("w", 0, kRows, w));
    double worst = 0;
    for (size_t t = 0; t < kTokens; ++t) {
      for (size_t n = 0; n < kRows; ++n) {
        double bound = 0;
        for (size_t block = 0; block < kColumns; block += 32) {
          double largest = 0;
          double products = 0;
          double activations = 0;
          for (size_t c = block; c < block + 32; ++c) {
            const double weight = std::fabs(static_cast<double>(w[n * kColumns + c]));
            const double activation = std::fabs(static_cast<double>(inputs_[t * kColumns + c]));
            largest = std::max(largest, weight);
            products += weight * activation;
            activations += activation;
          }
          bound += IsQuantised(type) ? 4 * largest * activations : products;
        }
        bound *= Gamma(IsQuantised(type) ? 2 * kColumns / 32 + 4 : kColumns / 4 + 2);
        const double error =
            std::fabs(static_cast<double>(out.device[t * kRows + n]) - out.oracle[t * kRows + n]);
        ASSERT_LE(error, bound) << Traits(type).name << " t " << t << " n " << n;
        worst = std::max(worst, error / bound);
      }
    }
    EXPECT_GT(worst, 0.0) << Traits(type).name;  // the comparison compares something
  }
}

// The matrix that changes nothing: every product is a value times one, every other term an exact
// zero.
ValueId Identity(graph::Builder* b, StoredTensors* tensors, ValueId x, int64_t n) {
  std::vector<float> one(static_cast<size_t>(n * n));
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) one[i * static_cast<size_t>(n) + i] = 1.0F;
  return b->Linear("identity", x, tensors->Set(b, "one", DataType::kF32, Shape{n, n}, one));
}

// Norm: D / 16 + 4 roundings in the sum of squares count half in its root, then five more. SwiGLU:
// exp is within one last place (two units); its sum, quotient and product round once each. Together
// below 16 + D / 32 units, relative.
TEST_F(ShardOracleTest, NormAndSwiGlu_WithinTheirRoundings) {
  constexpr int64_t kChannels = 96;
  graph::Builder b;
  StoredTensors tensors;
  std::vector<float> gains(kChannels);
  for (size_t c = 0; c < gains.size(); ++c) gains[c] = 0.5F + 0.01F * static_cast<float>(c);
  const auto gain = tensors.Set(&b, "gain", DataType::kF32, Shape{kChannels}, gains);
  const ValueId x = b.Input("x", kChannels);
  const ValueId y = b.RmsNorm("n", x, gain, 1e-5F);
  b.Output(Identity(&b, &tensors, b.Gate("gate", graph::Activation::kSilu, y, x), kChannels));
  const auto source = [&](const std::string& name) { return tensors.View(name); };
  const Outputs out = RunBoth(*b.Finish(), source, {7}, 3.0);
  for (size_t i = 0; i < out.device.size(); ++i) {
    // silu multiplies a relative error of its argument by at most 1 + |x|.
    const double argument = std::fabs(static_cast<double>(inputs_[i]));
    const double bound =
        (16 + kChannels / 32.0) * kUnit * (2 + 3 * argument) * std::fabs(out.oracle[i]) + 1e-30;
    ASSERT_NEAR(static_cast<double>(out.device[i]), out.oracle[i], bound) << i;
  }
}

// The same by groups of 32 channels, with a factor before: below 16 units. GELU multiplies a
// relative error of its argument x by at most 1 + 1.6 |x| + 0.22 |x|^3, below 2 + 3 x^2 for |x| < 9
// (a group's largest is below 1.5 sqrt(32)); its power adds 4 |2u| < 4 + 5 x^2 units, its other
// roundings 5, the last product 1.
TEST_F(ShardOracleTest, GroupNormScaleAndGelu_WithinTheirRoundings) {
  constexpr int64_t kChannels = 96;
  constexpr size_t kGroup = 32;
  graph::Builder b;
  StoredTensors tensors;
  std::vector<float> gains(kGroup);
  for (size_t c = 0; c < gains.size(); ++c) gains[c] = 0.5F + 0.03F * static_cast<float>(c);
  const auto gain = tensors.Set(&b, "gain", DataType::kF32, Shape{kGroup}, gains);
  const ValueId x = b.Input("x", kChannels);
  const ValueId y = b.RmsNorm("n", b.Scale("scaled", x, 5.3F), gain, 1e-5F);
  const ValueId gated = b.Gate("gate", graph::Activation::kGeluTanh, y, x);
  b.Output(Identity(&b, &tensors, gated, kChannels));
  const auto source = [&](const std::string& name) { return tensors.View(name); };
  const Outputs out = RunBoth(*b.Finish(), source, {7, 1}, 3.0);
  for (size_t i = 0; i < out.device.size(); ++i) {
    const size_t group = i / kGroup * kGroup;
    double squares = 0;
    for (size_t c = group; c < group + kGroup; ++c)
      squares += std::pow(static_cast<double>(inputs_[c]), 2);
    const double normed = static_cast<double>(inputs_[i]) / std::sqrt(squares / kGroup) *
                          static_cast<double>(gains[i % kGroup]);
    const double square = normed * normed;
    const double units = 16 * (2 + 3 * square) + 4 + 5 * square + 6;
    const double bound = units * kUnit * std::fabs(out.oracle[i]) + 1e-30;
    ASSERT_NEAR(static_cast<double>(out.device[i]), out.oracle[i], bound) << i;
  }
}

// Attention without rotary: keys and values round to the same binary16. With |error of a score| <=
// e, a softmax weight is off by a factor of at most exp(2e); each of its sums rounds once a
// position.
TEST_F(ShardOracleTest, Attention_WithinItsRoundings) {
  constexpr int64_t kHeads = 4;
  constexpr int64_t kKvHeads = 2;
  constexpr int64_t kDim = 16;
  constexpr int64_t kPositions = 40;
  for (const int64_t window : {0, 1, 5, 16, 17}) {
    graph::Builder b;
    StoredTensors tensors;
    const ValueId x = b.Input("x", (kHeads + 2 * kKvHeads) * kDim);
    const graph::AttentionAttributes attributes{.layer = 0,
                                                .num_heads = kHeads,
                                                .num_kv_heads = kKvHeads,
                                                .head_dim = kDim,
                                                .window = window,
                                                .scale = 0.25F};
    const ValueId q = b.Slice("q", x, 0, kHeads * kDim);
    const ValueId k = b.Slice("k", x, kHeads * kDim, (kHeads + kKvHeads) * kDim);
    const ValueId v = b.Slice("v", x, (kHeads + kKvHeads) * kDim, (kHeads + 2 * kKvHeads) * kDim);
    b.Output(Identity(&b, &tensors, b.Attention("a", q, k, v, attributes), kHeads * kDim));
    const auto source = [&](const std::string& name) { return tensors.View(name); };
    inputs_.clear();
    const Outputs out = RunBoth(*b.Finish(), source, {1, 19, 3, 1, 16}, 2.0);
    // Inputs are below 6 standard deviations of 2: a score below 16 * 12 * 12 * 0.25 in absolute
    // terms.
    double largest = 0;
    for (const float value : inputs_)
      largest = std::max(largest, std::fabs(static_cast<double>(value)));
    const double score = kDim * largest * largest * 0.25;
    const double score_error = Gamma(kDim + 2) * score + 2 * kUnit * score;
    const double bound = (2 * score_error + Gamma(2 * kPositions + 8)) * largest * 1.01;
    ASSERT_EQ(out.device.size(), static_cast<size_t>(kPositions * kHeads * kDim));
    for (size_t i = 0; i < out.device.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(out.device[i]), out.oracle[i], bound)
          << "window " << window << " " << i;
    }
  }
}

}  // namespace
}  // namespace headway::parity
