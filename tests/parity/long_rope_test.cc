// LongRoPE: the sequence's length chooses between short and long factors, for all of its positions.
// test-phi's border is at 64 tokens of its context of 256.

#include <gtest/gtest.h>

#include <set>

#include "gguf/gguf_file.h"
#include "model_fixture.h"
#include "reference_logits.h"

namespace headway::parity {
namespace {

constexpr int64_t kBorder = 64;

class LongRopeTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { opened_ = OpenPackage(model_.Pack("4", {"full:2"})); }

  std::vector<int32_t> Ids(int64_t count) const {
    return TestIds(count, opened_->pipeline->model().vocab_size);
  }
  // The last logits of a fresh session that is given all ids at once.
  std::vector<float> Fresh(std::span<const int32_t> ids, int64_t capacity = 200) const {
    const auto session = NewSession(*opened_, capacity);
    EXPECT_TRUE(session->Append(ids));
    return LastLogits(session.get());
  }

  const TestModel model_{"test-phi", GetParam()};
  std::unique_ptr<OpenedModel> opened_;
};

TEST_P(LongRopeTest, DecodingAcrossTheBorder_EqualsPrefilling) {
  std::set<std::string> work_seen;
  SessionOptions options{.capacity_tokens = 80, .sampling = {}};
  options.progress = [&](const char* work, int64_t, int64_t) { work_seen.insert(work); };
  const auto session = NewSession(*opened_, options);
  ASSERT_TRUE(session->Append(Ids(kBorder - 4)));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(session->Decode());
    const std::vector<int32_t> tokens(session->Tokens().begin(), session->Tokens().end());
    const std::vector<float> logits = LastLogits(session.get());
    const std::vector<float> hidden(session->HiddenState().begin(), session->HiddenState().end());
    const auto fresh = NewSession(*opened_, 80);
    ASSERT_TRUE(fresh->Append(tokens));
    ASSERT_TRUE(SameBits(logits, LastLogits(fresh.get()))) << tokens.size() << " tokens";
    ASSERT_TRUE(SameBits(hidden, fresh->HiddenState())) << tokens.size() << " tokens";
    EXPECT_EQ(fresh->GetCounters().cache_rebuilds, 0U);
    const bool crossed = static_cast<int64_t>(tokens.size()) > kBorder;
    EXPECT_EQ(session->GetCounters().cache_rebuilds, crossed ? 1U : 0U)
        << tokens.size() << " tokens";
    EXPECT_EQ(work_seen.count("rebuilding the cache"), crossed ? 1U : 0U);
  }
}

TEST_P(LongRopeTest, Capacity_ChoosesNothing) {
  for (const int64_t length : {int64_t{40}, kBorder, kBorder + 1}) {
    const std::vector<float> expected = Fresh(Ids(length), length);
    for (const int64_t capacity : {kBorder + 1, int64_t{256}}) {
      EXPECT_TRUE(SameBits(Fresh(Ids(length), capacity), expected)) << length << " of " << capacity;
    }
  }
}

TEST_P(LongRopeTest, LogitsOfAWholeSequence_UseItsFactorsFromTheFirstToken) {
  const std::vector<int32_t> ids = Ids(80);
  const auto V = static_cast<size_t>(opened_->pipeline->model().vocab_size);
  const auto session = NewSession(*opened_, 200);
  const std::vector<float> whole = AppendForLogits(session.get(), ids);
  EXPECT_EQ(session->GetCounters().cache_rebuilds, 0U);
  const std::span<const float> last = std::span(whole).last(V);
  EXPECT_TRUE(SameBits(last, Fresh(ids)));

  // In two pieces: the first ones are another sequence's, the rest are the same.
  const auto pieces = NewSession(*opened_, 200);
  const std::vector<float> first = AppendForLogits(pieces.get(), std::span(ids).first(50));
  const std::vector<float> second = AppendForLogits(pieces.get(), std::span(ids).subspan(50));
  EXPECT_EQ(pieces->GetCounters().cache_rebuilds, 1U);
  EXPECT_TRUE(SameBits(second, std::span(whole).subspan(50 * V)));
  // Position 0 turns by no angle, whatever the factors; position 1 is the first that knows them.
  EXPECT_TRUE(SameBits(std::span(first).first(V), std::span(whole).first(V)));
  const std::vector<float> short_row(first.begin() + static_cast<std::ptrdiff_t>(49 * V),
                                     first.end());
  const std::vector<float> long_row(whole.begin() + static_cast<std::ptrdiff_t>(49 * V),
                                    whole.begin() + static_cast<std::ptrdiff_t>(50 * V));
  EXPECT_NE(short_row, long_row);
}

TEST_P(LongRopeTest, TruncatedBelowTheBorder_EqualsAFreshSession) {
  const std::vector<int32_t> ids = Ids(90);
  const auto session = NewSession(*opened_, 200);
  for (const int64_t kept : {int64_t{75}, kBorder, int64_t{40}, int64_t{1}, int64_t{0}}) {
    ASSERT_TRUE(session->Append(std::span(ids).subspan(session->Tokens().size())));
    session->Truncate(kept);
    ASSERT_EQ(static_cast<int64_t>(session->Tokens().size()), kept);
    if (kept > 0) {
      EXPECT_TRUE(SameBits(LastLogits(session.get()),
                           Fresh(std::span(ids).first(static_cast<size_t>(kept)))))
          << kept;
    }
    std::vector<int32_t> other = ids;
    other.resize(static_cast<size_t>(kept));
    other.push_back(5);
    other.push_back(6);
    ASSERT_TRUE(session->Append(std::span(other).last(2)));
    EXPECT_TRUE(SameBits(LastLogits(session.get()), Fresh(other))) << kept;
    session->Truncate(kept);
  }
}

// Against the model that shares no code with this one: F32 weights leave 16-bit keys and values as
// the only rounding of note. 2^-11 relative to each key and value moves a logit by about that much
// of the logits' size; four times that is allowed. With the wrong factors they differ by more than
// a tenth.
TEST(LongRopeReferenceTest, BothSidesOfTheBorder_AgreeWithTheStraightLine) {
  const TestModel model("test-phi", "f32");
  const auto opened = OpenPackage(model.Pack("6", {"full:1"}));
  for (const int64_t length : {kBorder - 1, kBorder, kBorder + 1, int64_t{100}}) {
    const std::vector<int32_t> ids = TestIds(length, opened->pipeline->model().vocab_size);
    const std::vector<float> found = TeacherForced(*opened, ids);
    const std::vector<double> expected = StraightLineLogits(model.File(), ids);
    EXPECT_LT(RelativeError(found, expected), 4 * 0x1p-11) << length;
    const std::vector<double> shorter =
        StraightLineLogits(model.File(), std::span(ids).first(kBorder - 1));
    const std::span<const float> same_rows = std::span(found).first(shorter.size());
    if (length > kBorder) {
      EXPECT_GT(RelativeError(same_rows, shorter), 0.1) << length;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LongRopeTest, testing::Values("q8_0", "f16"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace headway::parity
