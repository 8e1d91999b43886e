// Kernels over vectors: the reference against double precision, the other sets against the
// reference.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "kernels/exp.h"
#include "kernels/matrix_fixture.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {
namespace {

constexpr std::array<int64_t, 13> kLengths = {0, 1, 2, 15, 16, 17, 31, 32, 33, 96, 100, 640, 3072};
constexpr float kCanary = -777.25F;

std::vector<float> Random(int64_t n, uint32_t seed, float size = 1.0F) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = normal(random) * size;
  return values;
}

void ExpectSame(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(a[i]), std::bit_cast<uint32_t>(b[i])) << i << ": " << a[i];
}

// Runs `kernel(set, y)` with the reference and with every other set on y = start with a canary
// behind it.
template <class Kernel>
void ExpectEverySetEqual(const std::vector<float>& start, const Kernel& kernel) {
  std::vector<float> expected = start;
  expected.push_back(kCanary);
  std::vector<float> before = expected;
  kernel(reference::Set(), expected.data());
  EXPECT_EQ(expected.back(), kCanary);
  for (const KernelSet& set : FastSets()) {
    std::vector<float> actual = before;
    kernel(set, actual.data());
    ExpectSame(expected, actual);
  }
}

TEST(VectorKernelsTest, RmsNorm_EverySet_EqualsTheReference) {
  for (const int64_t n : kLengths) {
    const std::vector<float> x = Random(n + 1, 1);
    const std::vector<float> gain = Random(n, 2);
    ExpectEverySetEqual(Random(n, 3), [&](const KernelSet& set, float* y) {
      set.rms_norm(x.data() + 1, gain.data(), 1e-5F, n, y);
    });
    ExpectEverySetEqual(Random(n, 3), [&](const KernelSet& set, float* y) {
      set.rms_norm(y, gain.data(), 1e-5F, n, y);  // in place
    });
  }
}

TEST(VectorKernelsTest, RmsNorm_Reference_IsTheFormula) {
  const std::vector<float> x = Random(3072, 5);
  const std::vector<float> gain = Random(3072, 6);
  std::vector<float> y(3072);
  reference::RmsNorm(x.data(), gain.data(), 1e-5F, 3072, y.data());
  double squares = 0;
  for (const float value : x) squares += double{value} * value;
  const double scale = 1 / std::sqrt(squares / 3072 + 1e-5);
  for (size_t i = 0; i < 3072; ++i) {
    // The sum of 192 + 4 rounded steps enters under the root (half), then four more roundings.
    const double exact = x[i] * scale * gain[i];
    EXPECT_NEAR(y[i], exact, 110 * 0x1p-24 * std::fabs(exact));
  }
}

TEST(VectorKernelsTest, Exp_AgainstDouble_WithinOneLastPlace) {
  double worst = 0;
  for (float x = kExpMin; x < kExpMax; x = x + 0.00037F) {
    const double exact = std::exp(double{x});
    worst = std::max(worst, std::fabs(Exp(x) - exact) / exact);
  }
  EXPECT_LT(worst, 1.0 * 0x1p-23);
  EXPECT_EQ(Exp(0.0F), 1.0F);
  EXPECT_EQ(Exp(-88.0F), 0.0F);
  EXPECT_EQ(Exp(-INFINITY), 0.0F);
  EXPECT_TRUE(std::isfinite(Exp(1000.0F)));
}

TEST(VectorKernelsTest, Log_AgainstDouble_WithinTwoLastPlaces) {
  double worst = 0;
  for (float x = 0x1p-60F; x < 0x1p60F; x *= 1.0003F) {
    const double exact = std::log(double{x});
    worst = std::max(worst, std::fabs(Log(x) - exact) / std::fabs(exact));
  }
  for (float d = 0x1p-23F; d < 0.4F; d *= 1.01F) {  // around 1, where the logarithm vanishes
    for (const float x : {1.0F + d, 1.0F - d}) {
      const double exact = std::log(double{x});
      worst = std::max(worst, std::fabs(Log(x) - exact) / std::fabs(exact));
    }
  }
  EXPECT_LT(worst, 2.0 * 0x1p-23);
  EXPECT_EQ(Log(1.0F), 0.0F);
}

TEST(VectorKernelsTest, GegluTanh_Reference_IsTheFormula) {
  const std::vector<float> gate = Random(3072, 31, 3.0F);
  const std::vector<float> up = Random(3072, 32);
  std::vector<float> y(3072);
  reference::GegluTanh(gate.data(), up.data(), 3072, y.data());
  for (size_t i = 0; i < y.size(); ++i) {
    const double x = gate[i];
    const double u = std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
    const double exact = x / (1 + std::exp(-2 * u)) * up[i];
    // The power has a rounded constant, three roundings and one of the sum, each worth |2u| in the
    // exponential; that is within a last place (two units), three more roundings follow.
    const double relative = (4 * std::fabs(2 * u) + 2 + 3) * 0x1p-24;
    EXPECT_NEAR(y[i], exact, relative * std::fabs(exact)) << x;
  }
}

// Of the cap's size, for every cap: densely around 0, and to where tanh is 1.
TEST(VectorKernelsTest, SoftCap_AgainstDouble_WithinItsError) {
  for (const float cap : {0.7F, 30.0F, 50.0F}) {
    double worst = 0;
    for (float x = 0x1p-30F; x < 1e6F; x *= 1.0003F) {
      for (const float signed_x : {x * cap, -x * cap}) {
        const double exact = double{cap} * std::tanh(double{signed_x} / double{cap});
        worst = std::max(worst, std::fabs(double{SoftCap(signed_x, cap)} - exact) / double{cap});
      }
    }
    EXPECT_LT(worst, double{kSoftCapError}) << cap;
    EXPECT_EQ(SoftCap(0.0F, cap), 0.0F);
    EXPECT_EQ(SoftCap(std::numeric_limits<float>::max(), cap), cap);
    EXPECT_EQ(SoftCap(std::numeric_limits<float>::lowest(), cap), -cap);
  }
}

TEST(VectorKernelsTest, SoftCap_EverySet_EqualsTheReference) {
  for (const int64_t n : kLengths) {
    for (const float size : {1.0F, 60.0F, 1e-30F, 1e30F}) {
      ExpectEverySetEqual(Random(n, 9, size),
                          [&](const KernelSet& set, float* y) { set.soft_cap(30.0F, n, y); });
    }
  }
}

// No set makes a number of what is none: overflows must show.
TEST(VectorKernelsTest, SoftCap_OfInfinityAndNaN_IsNaN) {
  for (const KernelSet& set : FastSets()) {
    std::vector<float> x(33, 1.0F);
    x[3] = INFINITY;
    x[20] = -INFINITY;
    x[32] = std::numeric_limits<float>::quiet_NaN();
    set.soft_cap(30.0F, 33, x.data());
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(std::isnan(x[i]), i == 3 || i == 20 || i == 32) << set.name << " " << i;
  }
  EXPECT_TRUE(std::isnan(SoftCap(INFINITY, 30.0F)));
  EXPECT_TRUE(std::isnan(SoftCap(-INFINITY, 30.0F)));
}

TEST(VectorKernelsTest, GatesAndAdd_EverySet_EqualTheReference) {
  for (const int64_t n : kLengths) {
    for (const float size : {1.0F, 60.0F, 1e-30F}) {
      const std::vector<float> gate = Random(n + 1, 7, size);
      const std::vector<float> up = Random(n, 8);
      ExpectEverySetEqual(Random(n, 9), [&](const KernelSet& set, float* y) {
        set.swiglu(gate.data() + 1, up.data(), n, y);
      });
      ExpectEverySetEqual(Random(n, 9), [&](const KernelSet& set, float* y) {
        set.geglu_tanh(gate.data() + 1, up.data(), n, y);
      });
      ExpectEverySetEqual(Random(n, 9),
                          [&](const KernelSet& set, float* y) { set.add(gate.data() + 1, n, y); });
    }
  }
}

TEST(VectorKernelsTest, Rotary_EverySet_EqualsTheReference) {
  for (const int64_t n_rot : {2, 16, 30, 48, 64, 96, 128}) {
    for (const RotaryStyle style : {RotaryStyle::kHalves, RotaryStyle::kPairs}) {
      const std::vector<float> cos = Random(n_rot / 2, 10);
      const std::vector<float> sin = Random(n_rot / 2, 11);
      ExpectEverySetEqual(Random(3 * 128, 12), [&](const KernelSet& set, float* y) {
        set.rotary(style, cos.data(), sin.data(), n_rot, 128, 3, y);
      });
    }
  }
}

TEST(VectorKernelsTest, Rotary_QuarterTurn_SwapsThePair) {
  const float cos = 0.0F;
  const float sin = 1.0F;
  std::vector<float> halves = {1, 2, 3};
  reference::Rotary(RotaryStyle::kHalves, &cos, &sin, 2, 3, 1, halves.data());
  EXPECT_EQ(halves, (std::vector<float>{-2, 1, 3}));
}

TEST(VectorKernelsTest, QuantiseRows_EverySet_SameBytes) {
  for (const int64_t tokens : {1, 3, 8, 13}) {
    const std::vector<float> x = TestActivations(tokens, 640, 13);
    const auto count = static_cast<size_t>(tokens * 20);
    std::vector<ActivationBlock> expected(count);
    const QuantisedRows rows{expected.data(), tokens, 640};
    reference::QuantiseRows(x.data(), 640, 0, tokens, rows);
    for (const KernelSet& set : FastSets()) {
      std::vector<ActivationBlock> actual(count);
      const QuantisedRows out{actual.data(), tokens, 640};
      set.quantise_rows(x.data(), 640, 0, 1, out);
      set.quantise_rows(x.data(), 640, 1, tokens, out);
      EXPECT_EQ(std::memcmp(expected.data(), actual.data(), count * sizeof(ActivationBlock)), 0);
    }
  }
}

TEST(VectorKernelsTest, AllFinite_EverySet_FindsTheOne) {
  for (const KernelSet& set : FastSets()) {
    for (const int64_t n : kLengths) {
      std::vector<float> values = Random(n, 14);
      EXPECT_TRUE(set.all_finite(values.data(), n));
      for (size_t i = 0; i < values.size(); i += 7) {
        for (const float bad : {INFINITY, -INFINITY, std::numeric_limits<float>::quiet_NaN()}) {
          const float kept = values[i];
          values[i] = bad;
          EXPECT_FALSE(set.all_finite(values.data(), n)) << set.name << " " << n << " " << i;
          values[i] = kept;
        }
      }
    }
  }
}

TEST(VectorKernelsTest, ArgMax_EverySet_TiesGoToTheLowest) {
  for (const KernelSet& set : FastSets()) {
    EXPECT_EQ(set.argmax(nullptr, 0).index, -1);
    for (const int64_t n : kLengths) {
      std::vector<float> values = Random(n, 15);
      for (float& value : values) value = std::round(value * 4);  // many ties
      const ArgMax expected = reference::FindArgMax(values.data(), n);
      EXPECT_EQ(set.argmax(values.data(), n).index, expected.index);
      std::fill(values.begin(), values.end(), -INFINITY);
      if (n > 0) {
        EXPECT_EQ(set.argmax(values.data(), n).index, 0);
        values[static_cast<size_t>(n - 1)] = -1e30F;
        EXPECT_EQ(set.argmax(values.data(), n).index, n - 1);
      }
    }
  }
}

TEST(VectorKernelsTest, GumbelArgMax_EverySet_EqualsTheReference) {
  for (const KernelSet& set : FastSets()) {
    for (const int64_t n : kLengths) {
      std::vector<float> values = Random(n, 16);
      for (size_t i = 0; i < values.size(); i += 3) values[i] = -INFINITY;
      for (const int64_t first_id : {0, 1, 16, 77, 200063}) {
        const ArgMax expected =
            reference::FindGumbelArgMax(values.data(), n, 0.7F, 42, 1234567890123, first_id);
        const ArgMax actual =
            set.gumbel_argmax(values.data(), n, 0.7F, 42, 1234567890123, first_id);
        EXPECT_EQ(actual.index, expected.index) << set.name << " " << n << " " << first_id;
        EXPECT_EQ(std::bit_cast<uint32_t>(actual.value), std::bit_cast<uint32_t>(expected.value));
      }
      if (n > 0) {
        std::fill(values.begin(), values.end(), -INFINITY);
        EXPECT_EQ(set.gumbel_argmax(values.data(), n, 1.0F, 1, 2, 3).index, 0);
      }
    }
  }
}

// Long enough that most vectors are passed over for their bound, and flat enough that the winner
// may be anywhere.
TEST(VectorKernelsTest, GumbelArgMax_OverAVocabulary_EqualsTheReference) {
  constexpr int64_t kVocabulary = 200064;
  for (const float spread : {0.0F, 1.0F, 20.0F}) {
    std::vector<float> values = Random(kVocabulary, 21);
    for (float& value : values) value *= spread;
    for (const uint64_t position : {0U, 1U, 2U, 3U}) {
      const ArgMax expected =
          reference::FindGumbelArgMax(values.data(), kVocabulary, 1.0F, 7, position, 1);
      for (const KernelSet& set : FastSets()) {
        const ArgMax actual = set.gumbel_argmax(values.data(), kVocabulary, 1.0F, 7, position, 1);
        EXPECT_EQ(actual.index, expected.index) << set.name << " " << spread << " " << position;
        EXPECT_EQ(std::bit_cast<uint32_t>(actual.value), std::bit_cast<uint32_t>(expected.value));
      }
    }
  }
}

TEST(VectorKernelsTest, Perturb_EverySet_EqualsTheReference_AndAgreesWithGumbelArgMax) {
  for (const int64_t n : kLengths) {
    const std::vector<float> values = Random(n, 17);
    for (const int64_t first_id : {0, 1, 77, 200063}) {
      ExpectEverySetEqual(Random(n, 18), [&](const KernelSet& set, float* y) {
        set.perturb(values.data(), n, 0.7F, 42, 99, first_id, y);
      });
      std::vector<float> perturbed(values);
      reference::Perturb(values.data(), n, 0.7F, 42, 99, first_id, perturbed.data());
      EXPECT_EQ(reference::FindArgMax(perturbed.data(), n).index,
                reference::FindGumbelArgMax(values.data(), n, 0.7F, 42, 99, first_id).index);
    }
  }
}

TEST(VectorKernelsTest, FindAtLeast_EverySet_ListsTheSameIds) {
  for (const KernelSet& set : FastSets()) {
    for (const int64_t n : kLengths) {
      std::vector<float> values = Random(n, 19);
      for (float& value : values) value = std::round(value * 4);  // equal to the threshold, too
      for (const float threshold : {-INFINITY, -1.0F, 0.0F, 2.0F, INFINITY}) {
        std::vector<int32_t> expected(static_cast<size_t>(n) + 16);
        std::vector<int32_t> actual(expected);
        const int64_t count =
            reference::FindAtLeast(values.data(), n, threshold, 1000, expected.data());
        ASSERT_EQ(set.at_least(values.data(), n, threshold, 1000, actual.data()), count);
        expected.resize(static_cast<size_t>(count));
        actual.resize(static_cast<size_t>(count));
        EXPECT_EQ(actual, expected) << set.name << " " << n;
      }
    }
  }
}

}  // namespace
}  // namespace headway::kernels
