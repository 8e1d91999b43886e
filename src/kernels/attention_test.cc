#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <random>
#include <span>

#include "base/aligned_buffer.h"
#include "kernels/matrix_fixture.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {
namespace {

constexpr std::array<KvType, kNumKvTypes> kKvTypes = {KvType::kF16, KvType::kQ8_0};

bool Fits(KvType kv, const AttentionShape& shape) {
  return kv == KvType::kF16 || shape.head_dim % kKvBlock == 0;
}

// Queries, and keys and values of every position up to the last token's, stored with the set's own
// kernel.
struct AttentionProblem {
  KvType kv;
  AttentionShape shape;
  float soft_cap = 0.0F;
  int64_t num_pages;
  std::vector<float> q, k, v;
  AlignedBuffer cache;  // the pages, last one first, each behind kOffset bytes of others'
  std::vector<std::byte*> pages;
  static constexpr int64_t kOffset = 192;

  AttentionProblem(KvType type, AttentionShape of, const KernelSet& set)
      : kv(type),
        shape(of),
        num_pages(NumKvPages(of.first_position + of.num_tokens)),
        cache(static_cast<size_t>(num_pages * (kOffset + KvPageBytes(type, of.head_dim)))) {
    for (int64_t page = num_pages - 1; page >= 0; --page)
      pages.push_back(cache.data() + page * (kOffset + KvPageBytes(type, of.head_dim)));
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
    // Blocks of zeros, and one whose scale is a denormal of F16.
    std::fill_n(k.begin(), shape.head_dim / 2, 0.0F);
    std::fill_n(v.begin(), shape.head_dim / 2, 1e-6F);
    // What lies beyond the last position must not matter: NaN where it is a float.
    for (F16& half : cache.As<F16>(cache.SizeBytes() / sizeof(F16))) half = F16{0x7e00};
    for (int64_t j = 0; j < positions; ++j) {
      set.store_kv[static_cast<size_t>(kv)](
          k.data() + j * shape.head_dim, v.data() + j * shape.head_dim, shape.head_dim,
          j % kKeyTile, Kv().KeyTile(j / kKeyTile), Kv().ValueTile(j / kKeyTile));
    }
  }

  KvHead Kv() const {
    return {
        .pages = pages.data(), .offset = kOffset, .tile_bytes = KvTileBytes(kv, shape.head_dim)};
  }
  std::span<const std::byte> Stored() const { return {cache.data(), cache.SizeBytes()}; }

  std::vector<float> Run(const KernelSet& set) const {
    constexpr float kCanary = 31.5F;
    const int64_t row = shape.num_heads * shape.head_dim;
    const auto scratch_floats = static_cast<size_t>(AttentionScratchFloats(
        shape.num_heads, shape.head_dim, shape.first_position + shape.num_tokens));
    AlignedBuffer scratch((scratch_floats + 1) * sizeof(float));
    const std::span<float> guarded = scratch.As<float>(scratch_floats + 1);
    std::fill(guarded.begin(), guarded.end(), kCanary);
    std::vector<float> out(static_cast<size_t>(shape.num_tokens * (row + 1)), kCanary);
    set.attention[static_cast<size_t>(kv)](
        {.q = q.data(),
         .q_stride = row,
         .kv = Kv(),
         .num_tokens = shape.num_tokens,
         .first_position = shape.first_position,
         .num_heads = shape.num_heads,
         .head_dim = shape.head_dim,
         .window = shape.window,
         .scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim)),
         .soft_cap = soft_cap,
         .scratch = guarded.data(),
         .out = out.data(),
         .out_stride = row + 1});
    EXPECT_EQ(guarded.back(), kCanary);
    for (int64_t t = 0; t < shape.num_tokens; ++t) {
      EXPECT_EQ(out[static_cast<size_t>(t * (row + 1) + row)], kCanary);
    }
    return out;
  }
};

void ExpectEverySetEqual(KvType kv, const AttentionShape& shape, float soft_cap) {
  AttentionProblem problem(kv, shape, reference::Set());
  problem.soft_cap = soft_cap;
  const std::vector<float> expected = problem.Run(reference::Set());
  for (const KernelSet& set : FastSets()) {
    AttentionProblem own(kv, shape, set);
    own.soft_cap = soft_cap;
    ASSERT_TRUE(std::ranges::equal(own.Stored(), problem.Stored()));
    const std::vector<float> actual = own.Run(set);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(actual[i]), std::bit_cast<uint32_t>(expected[i]))
          << set.name << " " << ToString(kv) << " heads " << shape.num_heads << " tokens "
          << shape.num_tokens << " cap " << soft_cap << " at " << i;
    }
  }
}

TEST(AttentionTest, EverySet_EqualsTheReference_BitForBit) {
  for (const KvType kv : kKvTypes) {
    for (const AttentionShape shape : kAttentionShapes) {
      if (!Fits(kv, shape)) continue;
      for (const float soft_cap : {0.0F, 1.5F}) ExpectEverySetEqual(kv, shape, soft_cap);
    }
  }
}

// The numbers that a cache of the type stands for.
std::vector<float> Stored(KvType kv, std::span<const float> x) {
  std::vector<float> stored(x.begin(), x.end());
  for (size_t c = 0; kv == KvType::kF16 && c < x.size(); ++c) stored[c] = ToFloat(ToF16(x[c]));
  for (size_t b = 0; kv == KvType::kQ8_0 && b < x.size(); b += 32) {
    float largest = 0.0F;
    for (size_t c = b; c < b + 32; ++c) largest = std::max(largest, std::fabs(x[c]));
    const float scale = ToFloat(ToF16(largest / 127.0F));
    for (size_t c = b; c < b + 32; ++c)
      stored[c] = largest == 0.0F ? 0.0F : scale * std::nearbyintf(x[c] * (127.0F / largest));
  }
  return stored;
}

// With n positions: scores carry gamma(head_dim) relative to sum |q k| / sqrt(d) (below 4 d here),
// exp turns that into a relative error, the sum of weights n more roundings. 2e-4 covers head_dim
// 128, n 100, in F16. Q8_0 quantises the query like the keys, but with a binary32 scale; with that
// scale rounded here to F16, each score moves by 2^-11 of its size at most (about 4 here), and so
// the output by 2e-3; weights rounded to half a step, 2^-15 of the largest, move it by n 2^-15
// max|v| / sum(e), where the sum is above 10 here: 1.3e-3 more. A soft cap brings scores nearer to
// each other and adds 6 * 2^-24 of itself.
class AttentionReferenceTest : public testing::TestWithParam<float> {};

TEST_P(AttentionReferenceTest, IsSoftmaxOfScaledProducts) {
  const double cap = GetParam();
  for (const KvType kv : kKvTypes) {
    AttentionProblem problem(kv, kAttentionShapes[3], reference::Set());
    problem.soft_cap = GetParam();
    const std::vector<float> out = problem.Run(reference::Set());
    const AttentionShape shape = problem.shape;
    const double limit = kv == KvType::kF16 ? 2e-4 : 4e-3;
    const std::vector<float> q = kv == KvType::kF16 ? problem.q : Stored(kv, problem.q);
    const std::vector<float> k = Stored(kv, problem.k);
    const std::vector<float> v = Stored(kv, problem.v);
    for (int64_t h = 0; h < shape.num_heads; ++h) {
      std::vector<double> weights;
      double sum = 0;
      for (int64_t j = 0; j <= shape.first_position; ++j) {
        double s = 0;
        for (int64_t c = 0; c < shape.head_dim; ++c) {
          s += double{q[static_cast<size_t>(h * shape.head_dim + c)]} *
               double{k[static_cast<size_t>(j * shape.head_dim + c)]};
        }
        s /= std::sqrt(static_cast<double>(shape.head_dim));
        weights.push_back(std::exp(cap > 0 ? cap * std::tanh(s / cap) : s));
        sum += weights.back();
      }
      for (int64_t c = 0; c < shape.head_dim; ++c) {
        double o = 0;
        for (size_t j = 0; j < weights.size(); ++j) {
          o += weights[j] / sum *
               double{v[j * static_cast<size_t>(shape.head_dim) + static_cast<size_t>(c)]};
        }
        EXPECT_NEAR(out[static_cast<size_t>(h * shape.head_dim + c)], o, limit) << ToString(kv);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(SoftCaps, AttentionReferenceTest, testing::Values(0.0F, 1.5F));

TEST(AttentionTest, OnePosition_GivesItsValue) {
  for (const KvType kv : kKvTypes) {
    const AttentionProblem problem(kv, kAttentionShapes.back(), reference::Set());
    const std::vector<float> out = problem.Run(reference::Set());
    const std::vector<float> expected = Stored(kv, problem.v);
    for (size_t c = 0; c < 32; ++c) EXPECT_EQ(out[c], expected[c]) << ToString(kv);
  }
}

TEST(AttentionTest, SpoiledValues_ShowInEveryChannel) {
  for (const KvType kv : kKvTypes) {
    AttentionProblem problem(kv, kAttentionShapes[3], reference::Set());
    SpoilValues(kv, problem.shape.head_dim, 40 % kKeyTile, problem.Kv().ValueTile(40 / kKeyTile));
    for (const KernelSet& set : FastSets()) {
      for (const float value : problem.Run(set)) {
        EXPECT_TRUE(std::isnan(value) || value == 31.5F) << set.name;
      }
    }
  }
}

}  // namespace
}  // namespace headway::kernels
