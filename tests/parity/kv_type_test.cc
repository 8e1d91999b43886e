// Keys and values in Q8_0: the same promises as in F16, for half the memory.

#include <gtest/gtest.h>

#include <algorithm>

#include "model_fixture.h"

namespace headway::parity {
namespace {

constexpr KvType kQ8 = KvType::kQ8_0;
constexpr int64_t kCachedTokens = 40;  // two key tiles, in test-phi below the border of 64

class KvTypeTest : public testing::Test {
 protected:
  std::unique_ptr<Session> Q8Session(const OpenedModel& model, int64_t capacity) const {
    return NewSession(model, {.capacity_tokens = capacity, .kv = kQ8, .sampling = {}});
  }
  static std::vector<int32_t> Ids(const OpenedModel& opened) {
    return TestIds(kCachedTokens, opened.pipeline->model().vocab_size);
  }

  const TestModel model_{"test-phi", "q4_k_m"};
};

TEST_F(KvTypeTest, EveryWay_SameLogits) {
  constexpr Way kWays[] = {{"6", "full:4", 2, 0},
                           {"1", "full:16", 4, 1},
                           {"2", "full:3", 1, 5},
                           {"0:5,5:6,6:7", "full:1", 3, 17}};
  const std::string package = model_.Pack("7", {"full:1"});
  const auto baseline = OpenPackage(package);
  const std::vector<int32_t> ids = Ids(*baseline);
  const std::vector<float> expected = TeacherForced(*baseline, ids, 0, kQ8);
  EXPECT_FALSE(std::ranges::equal(expected, TeacherForced(*baseline, ids)));
  ExpectSameLogits(model_, kWays, ids, expected, kQ8);
  for (const int64_t piece : {1, 2, 3, 4, 8, 16}) {
    EXPECT_TRUE(SameBits(TeacherForced(*baseline, ids, piece, kQ8), expected)) << piece;
  }
  const std::vector<int32_t> few(ids.begin(), ids.begin() + 12);
  const std::span<const float> first =
      std::span(expected).first(expected.size() * 12 / kCachedTokens);
  for (const std::string& set : InstructionSets()) {
    const auto opened = OpenPackage(package, {.threads = 1, .instruction_set = set});
    EXPECT_TRUE(SameBits(TeacherForced(*opened, few, 5, kQ8), first)) << set;
  }
}

TEST_F(KvTypeTest, DraftsAndTruncation_LeaveTheTokensAsTheyAre) {
  const auto opened = OpenPackage(model_.Pack("7", {"full:2"}), {.threads = 2});
  for (const float temperature : {0.0F, 1.0F}) {
    SessionOptions options{.capacity_tokens = 80, .kv = kQ8, .sampling = {}};
    options.sampling.temperature = temperature;
    options.sampling.seed = 5;
    const auto plain = NewSession(*opened, options);
    ASSERT_TRUE(plain->Append(Ids(*opened)));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(plain->Decode());
    const std::vector<int32_t> expected(plain->Tokens().begin(), plain->Tokens().end());

    const auto drafted = NewSession(*opened, options);
    ASSERT_TRUE(drafted->Append(Ids(*opened)));
    while (drafted->Tokens().size() < expected.size()) {
      // Two right guesses and a wrong one.
      const size_t length = drafted->Tokens().size();
      const size_t right = std::min<size_t>(2, expected.size() - length - 1);
      std::vector<int32_t> drafts(expected.begin() + static_cast<std::ptrdiff_t>(length),
                                  expected.begin() + static_cast<std::ptrdiff_t>(length + right));
      drafts.push_back((expected[length + right] + 1) % 1000);
      ASSERT_TRUE(drafted->DecodeWithDrafts(drafts));
    }
    EXPECT_TRUE(std::ranges::equal(drafted->Tokens(), expected));

    drafted->Truncate(kCachedTokens - 3);
    const std::vector<int32_t> again(expected.begin() + kCachedTokens - 3,
                                     expected.begin() + kCachedTokens);
    ASSERT_TRUE(drafted->Append(again));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(drafted->Decode());
    EXPECT_TRUE(std::ranges::equal(drafted->Tokens(), expected));
  }
}

// 34 bytes for 32 channels instead of 64.
TEST_F(KvTypeTest, Memory_IsSeventeenThirtySeconds) {
  const auto opened = OpenPackage(model_.Pack("7", {"full:1"}));
  const uint64_t f16 = NewSession(*opened, 100)->GetCounters().kv_bytes;
  EXPECT_EQ(f16, uint64_t{7 * 2 * 2 * 128 * 32 * 2});  // layers, K and V, kv heads, positions
  EXPECT_EQ(Q8Session(*opened, 100)->GetCounters().kv_bytes * 32, f16 * 17);
}

TEST_F(KvTypeTest, AssumedContext_RunsAndIsFinite) {
  const auto opened = OpenPackage(model_.Pack("7", {"full:1"}));
  const auto session = Q8Session(*opened, 100);
  session->AssumeContext(50);
  EXPECT_TRUE(session->Decode());
}

}  // namespace
}  // namespace headway::parity
