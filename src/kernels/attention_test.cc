#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "kernels/reference/reference.h"
#include "kernels/test_matrix.h"

namespace headway::kernels {
namespace {

// Queries, and keys and values of every position up to the last token's, stored with the set's own
// kernel.
struct AttentionProblem {
  AttentionShape shape;
  int64_t capacity;
  std::vector<float> q, k, v;
  std::vector<F16> key_tiles, value_rows;

  AttentionProblem(AttentionShape of, const KernelSet& set)
      : shape(of),
        capacity((of.first_position + of.num_tokens + kKeyTile - 1) / kKeyTile * kKeyTile) {
    std::mt19937 random(77);
    std::normal_distribution<float> normal;
    const auto fill = [&](std::vector<float>* values, int64_t n) {
      values->resize(static_cast<size_t>(n));
      for (float& value : *values) value = normal(random);
    };
    const int64_t positions = shape.first_position + shape.num_tokens;
    fill(&q, shape.num_tokens * shape.num_heads * shape.head_dim);
    fill(&k, positions * shape.head_dim);
    fill(&v, positions * shape.head_dim);
    // What lies beyond the last position must not matter: NaN.
    key_tiles.assign(static_cast<size_t>(capacity * shape.head_dim), F16{0x7e00});
    value_rows = key_tiles;
    for (int64_t j = 0; j < positions; ++j) {
      set.store_kv(k.data() + j * shape.head_dim, v.data() + j * shape.head_dim, shape.head_dim, j,
                   key_tiles.data(), value_rows.data());
    }
  }

  std::vector<float> Run(const KernelSet& set) const {
    constexpr float kCanary = 31.5F;
    const int64_t row = shape.num_heads * shape.head_dim;
    const auto scratch_floats =
        static_cast<size_t>(AttentionScratchFloats(shape.num_heads, shape.head_dim, capacity));
    std::vector<float> scratch(scratch_floats + 1, kCanary);
    std::vector<float> out(static_cast<size_t>(shape.num_tokens * (row + 1)), kCanary);
    set.attention({.q = q.data(),
                   .q_stride = row,
                   .k = key_tiles.data(),
                   .v = value_rows.data(),
                   .num_tokens = shape.num_tokens,
                   .first_position = shape.first_position,
                   .num_heads = shape.num_heads,
                   .head_dim = shape.head_dim,
                   .window = shape.window,
                   .scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim)),
                   .scratch = scratch.data(),
                   .out = out.data(),
                   .out_stride = row + 1});
    EXPECT_EQ(scratch.back(), kCanary);
    for (int64_t t = 0; t < shape.num_tokens; ++t) {
      EXPECT_EQ(out[static_cast<size_t>(t * (row + 1) + row)], kCanary);
    }
    return out;
  }
};

TEST(AttentionTest, EverySet_EqualsTheReference_BitForBit) {
  for (const AttentionShape shape : kAttentionShapes) {
    const AttentionProblem problem(shape, reference::Set());
    const std::vector<float> expected = problem.Run(reference::Set());
    for (const KernelSet& set : FastSets()) {
      const AttentionProblem own(shape, set);
      ASSERT_TRUE(
          std::equal(own.key_tiles.begin(), own.key_tiles.end(), problem.key_tiles.begin()));
      ASSERT_TRUE(
          std::equal(own.value_rows.begin(), own.value_rows.end(), problem.value_rows.begin()));
      const std::vector<float> actual = own.Run(set);
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
            << set.name << " heads " << shape.num_heads << " tokens " << shape.num_tokens << " at "
            << i;
      }
    }
  }
}

// With n positions: scores carry gamma(head_dim) relative to sum |q k| / sqrt(d) (below 4 d here),
// exp turns that into a relative error, the sum of weights n more roundings. 2e-4 covers head_dim
// 128, n 100.
TEST(AttentionTest, Reference_IsSoftmaxOfScaledProducts) {
  const AttentionProblem problem(kAttentionShapes[3], reference::Set());
  const std::vector<float> out = problem.Run(reference::Set());
  const AttentionShape shape = problem.shape;
  const auto stored = [](float value) { return double{ToFloat(ToF16(value))}; };
  for (int64_t h = 0; h < shape.num_heads; ++h) {
    std::vector<double> weights;
    double sum = 0;
    for (int64_t j = 0; j <= shape.first_position; ++j) {
      double s = 0;
      for (int64_t c = 0; c < shape.head_dim; ++c) {
        s += problem.q[static_cast<size_t>(h * shape.head_dim + c)] *
             stored(problem.k[static_cast<size_t>(j * shape.head_dim + c)]);
      }
      weights.push_back(std::exp(s / std::sqrt(static_cast<double>(shape.head_dim))));
      sum += weights.back();
    }
    for (int64_t c = 0; c < shape.head_dim; ++c) {
      double o = 0;
      for (size_t j = 0; j < weights.size(); ++j) {
        o += weights[j] / sum *
             stored(problem.v[j * static_cast<size_t>(shape.head_dim) + static_cast<size_t>(c)]);
      }
      EXPECT_NEAR(out[static_cast<size_t>(h * shape.head_dim + c)], o, 2e-4);
    }
  }
}

TEST(AttentionTest, OnePosition_GivesItsValue) {
  const AttentionProblem problem(kAttentionShapes[0], reference::Set());
  const std::vector<float> out = problem.Run(reference::Set());
  for (size_t c = 0; c < 16; ++c) EXPECT_EQ(out[c], ToFloat(ToF16(problem.v[c])));
}

}  // namespace
}  // namespace headway::kernels
