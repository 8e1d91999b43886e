#include "lmhead/certificate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace headway::lmhead {
namespace {

TEST(CertificateMode, ReadsAndRefuses) {
  EXPECT_TRUE(ParseCertificateMode("deterministic")->deterministic);
  EXPECT_EQ(ParseCertificateMode("probabilistic")->delta, kDefaultDelta);
  EXPECT_EQ(ParseCertificateMode("probabilistic:1e-12")->delta, 1e-12);
  EXPECT_EQ(ParseCertificateMode("probabilistic:0.1")->delta, 0.1);
  for (const char* bad :
       {"", "probabilistic:", "probabilistic:0", "probabilistic:-1e-9", "probabilistic:0.2",
        "probabilistic:nan", "probabilistic:1e-9x", "exact"}) {
    const auto mode = ParseCertificateMode(bad);
    ASSERT_FALSE(mode.has_value()) << bad;
    EXPECT_EQ(mode.error().code, ErrorCode::kInvalidInput);
    EXPECT_NE(mode.error().message.find("expected"), std::string::npos);
  }
}

// The radius' multiplier gives its delta, is smaller than Hoeffding's, and falls with delta.
TEST(SignSumMultiplier, SolvesTheTailBound) {
  double last = 1e9;
  for (const double delta : {1e-30, 1e-15, 1e-12, 1e-9, 4e-11, 1e-6, 1e-3, 0.05, 0.1}) {
    const double x = SignSumMultiplier(delta);
    EXPECT_NEAR(3.179 * 0.5 * std::erfc(x / std::sqrt(2.0)) / delta, 1.0, 1e-6) << delta;
    EXPECT_LE(3.17867 * 0.5 * std::erfc(x / std::sqrt(2.0)), delta) << delta;
    EXPECT_LT(x, std::sqrt(2.0 * std::log(1.0 / delta))) << delta;
  }
  for (const double delta : {1e-12, 1e-9, 1e-6, 1e-3}) {
    EXPECT_LT(SignSumMultiplier(delta), last);
    last = SignSumMultiplier(delta);
  }
}

// Sums of signs of any sizes stay below the bound: the sizes that come nearest to it are few equal
// ones. 2^18 signs each, all of them.
TEST(SignSumMultiplier, HoldsForEverySumOfEighteenSigns) {
  constexpr int kSigns = 18;
  for (const double ratio : {1.0, 0.9, 0.7, 0.5}) {
    double sizes[kSigns];
    double squares = 0.0;
    for (int i = 0; i < kSigns; ++i) {
      sizes[i] = std::pow(ratio, i);
      squares += sizes[i] * sizes[i];
    }
    for (const double delta : {1e-4, 1e-3, 1e-2, 0.1}) {
      const double limit = SignSumMultiplier(delta) * std::sqrt(squares);
      int64_t beyond = 0;
      for (int64_t signs = 0; signs < int64_t{1} << kSigns; ++signs) {
        double sum = 0.0;
        for (int i = 0; i < kSigns; ++i) sum += (signs >> i & 1) != 0 ? sizes[i] : -sizes[i];
        beyond += sum > limit ? 1 : 0;
      }
      EXPECT_LE(static_cast<double>(beyond), delta * static_cast<double>(int64_t{1} << kSigns));
    }
  }
}

}  // namespace
}  // namespace headway::lmhead
