// Searches of parts of the rows, as several hosts have them: together they find what one finds.

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "lmhead/head_fixture.h"
#include "lmhead/search.h"

namespace headway::lmhead {
namespace {

// No whole number of strips or tiles, nor do the parts begin with one.
constexpr int64_t kPartedRows = 3013;
constexpr int64_t kPartedChannels = 256;
const std::vector<RowRange> kParts = {{0, 1008}, {1008, 1024}, {1024, 2064}, {2064, kPartedRows}};

// The highest threshold that the other parts can ever have: the best value of all rows but theirs.
class Others final : public OtherSearches {
 public:
  explicit Others(float value) : value_(value) {}
  float Largest(float mine) noexcept override {
    ++times_;
    return std::max(mine, value_);
  }
  int Times() const { return times_; }

 private:
  const float value_;
  int times_ = 0;
};

class SearchPartsTest : public testing::TestWithParam<int64_t> {};

TEST_P(SearchPartsTest, TogetherFindTheBest) {
  const int64_t keep = GetParam();
  ThreadPool pool(2);
  TestHead head(DataType::kQ8_0, kPartedRows, kPartedChannels,
                Normals(kPartedRows * kPartedChannels, 4));
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  int decided = 0;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    const auto state = StateFor(head, (seed * 997 + 13) % kPartedRows, 8.0 + seed % 3 * 3.0, seed);
    const std::vector<float> hidden = head.SetStates(state);
    const std::vector<float> logits = head.FullLogits(0);
    std::vector<int32_t> best(kPartedRows);
    for (int32_t id = 0; id < kPartedRows; ++id) best[static_cast<size_t>(id)] = id;
    std::stable_sort(best.begin(), best.end(), [&](int32_t a, int32_t b) {
      return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
    });
    best.resize(static_cast<size_t>(keep));
    const float least = logits[static_cast<size_t>(best.back())];
    bool all_decided = true;
    std::vector<Candidate> found;
    for (const RowRange& part : kParts) {
      Search search(&planes, &head, TestKernels(), &pool, 1,
                    {.certificate = {}, .noise_key = 5, .rows = part});
      search.Screen(hidden.data(), 1, keep);
      Others others(least);
      SearchGoal goal{.keep = keep};
      goal.others = &others;
      all_decided = search.Decide(0, goal).decided && all_decided;
      EXPECT_LE(others.Times(), 1);
      for (const Candidate& row : search.Found()) {
        EXPECT_TRUE(row.id >= part.begin && row.id < part.end) << row.id;
        EXPECT_EQ(row.logit, logits[static_cast<size_t>(row.id)]);
        found.push_back(row);
      }
    }
    if (!all_decided) continue;
    ++decided;
    for (const int32_t id : best) {
      EXPECT_TRUE(std::any_of(found.begin(), found.end(),
                              [id](const Candidate& row) { return row.id == id; }))
          << id << " of seed " << seed;
    }
    EXPECT_EQ(Best(found), best.front());
  }
  EXPECT_GE(decided, 6);
}

INSTANTIATE_TEST_SUITE_P(Keeps, SearchPartsTest, testing::Values(1, 2, 10));

TEST(ScreenedPartsTest, ReadWhatAllReadAndTheirSharedTiles) {
  ThreadPool pool(1);
  TestHead head(DataType::kQ8_0, 4096, kPartedChannels, Normals(4096 * kPartedChannels, 4));
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  const int64_t all = ScreenBytesOf(planes, {});
  EXPECT_EQ(all, planes.ScreenBytes());
  const int64_t halves = ScreenBytesOf(planes, {0, 2048}) + ScreenBytesOf(planes, {2048, 4096});
  const int64_t shared = planes.Signs() - reinterpret_cast<const std::byte*>(planes.Direction(0));
  EXPECT_EQ(halves, all + shared);
}

}  // namespace
}  // namespace headway::lmhead
