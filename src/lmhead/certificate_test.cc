#include "lmhead/certificate.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace headway::lmhead
