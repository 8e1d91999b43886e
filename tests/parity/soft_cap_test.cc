// A model whose scores and logits are soft-capped: the same bits on every way through it, as
// bit_equality_test.cc has them for others.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model_fixture.h"

namespace headway::parity {
namespace {

// Beyond the window of 8 positions, and over two key tiles.
constexpr int64_t kFew = 12;
constexpr int64_t kTokens = 40;
constexpr float kTinyLogitCap = 3.0F;  // of tiny-gemma2

class SoftCapTest : public testing::TestWithParam<std::string> {
 protected:
  const TestModel model_{"tiny-gemma2", GetParam()};
};

TEST_P(SoftCapTest, EveryWay_SameLogits) {
  constexpr Way kWays[] = {{"1", "full:5", 2, 0},
                           {"3", "blockmax:2", 3, 1},
                           {"2", "full:3", 1, 5},
                           {"0:1,1:4", "full:1", 4, 17}};
  const std::string package = model_.Pack("4", {"full:1"});
  const auto baseline = OpenPackage(package);
  const std::vector<int32_t> ids = TestIds(kTokens, baseline->pipeline->model().vocab_size);
  for (const KvType kv : {KvType::kF16, KvType::kQ8_0}) {
    SCOPED_TRACE(ToString(kv));
    const std::vector<float> expected = TeacherForced(*baseline, ids, 0, kv);
    EXPECT_TRUE(std::all_of(expected.begin(), expected.end(),
                            [](float logit) { return std::fabs(logit) < kTinyLogitCap; }));
    ExpectSameLogits(model_, kWays, ids, expected, kv);
    for (const int64_t piece : {1, 2, 3, 4, 8, 16})
      EXPECT_TRUE(SameBits(TeacherForced(*baseline, ids, piece, kv), expected)) << piece;
    // The reference set takes its time.
    const std::vector<int32_t> few(ids.begin(), ids.begin() + kFew);
    const std::span<const float> first =
        std::span(expected).first(expected.size() * kFew / kTokens);
    for (const std::string& set : InstructionSets()) {
      const auto opened = OpenPackage(package, {.threads = 1, .instruction_set = set});
      for (const int64_t piece : {1, 5})
        EXPECT_TRUE(SameBits(TeacherForced(*opened, few, piece, kv), first)) << set;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, SoftCapTest, testing::Values("f16", "q4_k_m"));

}  // namespace
}  // namespace headway::parity
