#include "manifest/head_kind.h"

#include <gtest/gtest.h>

namespace headway {
namespace {

TEST(HeadKindTest, EveryKind_IsReadAsItIsWritten) {
  for (const char* text :
       {"full:4", "top1:2", "blockmax:8", "top1-fp16:64", "certified", "reduced:2048"}) {
    const auto kind = ParseHeadKind(text);
    ASSERT_TRUE(kind) << kind.error().message;
    EXPECT_EQ(KindText(*kind), text);
    EXPECT_TRUE(std::string(text).starts_with(NameOf(kind->form))) << NameOf(kind->form);
  }
  EXPECT_EQ(*CanonicalHeadKind("full"), "full:1");
  EXPECT_EQ(*CanonicalHeadKind("full:04"), "full:4");
  EXPECT_EQ(ParseHeadKind("reduced:2048")->first_rows, 2048);
  EXPECT_TRUE(ParseHeadKind("reduced:2048")->HasPlanes());
  EXPECT_TRUE(ParseHeadKind("certified")->HasPlanes());
  EXPECT_TRUE(ParseHeadKind("top1-fp16:2")->IsTop1());
  EXPECT_FALSE(ParseHeadKind("blockmax:2")->IsTop1());
}

TEST(HeadKindTest, OtherTexts_AreRefused) {
  for (const char* text : {"", ":", "full:", "full:x", "full:4x", "certified:8", "reduced",
                           "reduced:0", "top", "top1fp16:2", "Full:4"}) {
    const auto kind = ParseHeadKind(text);
    ASSERT_FALSE(kind) << text;
    EXPECT_EQ(kind.error().code, ErrorCode::kInvalidInput);
    EXPECT_NE(kind.error().message.find(std::string("'") + text + "'"), std::string::npos);
  }
  EXPECT_EQ(ParseHeadKind("routed:4").error().code, ErrorCode::kUnsupported);
}

TEST(HeadKindTest, KindsOfOtherDevices_AreRefusedWithThoseThereAre) {
  constexpr HeadForm kForms[] = {HeadForm::kFull, HeadForm::kCertified, HeadForm::kReduced};
  EXPECT_TRUE(CheckHeadKind("full:2", *ParseHeadKind("full:2"), "abacus", kForms));
  const auto refused = CheckHeadKind("top1:2", *ParseHeadKind("top1:2"), "abacus", kForms);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("abacus (available: full:N, certified, reduced:K)"),
            std::string::npos)
      << refused.error().message;
}

}  // namespace
}  // namespace headway
