// Directions that rows have in common: found where they are, none where there are none, and what
// they are worth to a search.

#include "lmhead/common_directions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "kernels/plane_layout.h"
#include "lmhead/head_fixture.h"
#include "lmhead/search.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kClusteredRows = 4000;
constexpr int64_t kClusteredChannels = 256;

std::vector<float> UnitVector(uint32_t seed) {
  std::vector<float> v = Normals(kClusteredChannels, seed);
  double squares = 0.0;
  for (const float value : v) squares += static_cast<double>(value) * value;
  for (float& value : v) value = static_cast<float>(value / std::sqrt(squares));
  return v;
}

// `count` vectors of independent normals, plus `size` of `shared` each, plus as much of `varying`
// with a factor of its own.
std::vector<float> WithCommonPart(int64_t count, uint32_t seed, const std::vector<float>& shared,
                                  const std::vector<float>& varying, float size) {
  std::vector<float> vectors = Normals(static_cast<size_t>(count * kClusteredChannels), seed);
  const std::vector<float> factors = Normals(static_cast<size_t>(count), seed + 1000);
  for (int64_t i = 0; i < count; ++i) {
    float* v = vectors.data() + i * kClusteredChannels;
    for (size_t c = 0; c < kClusteredChannels; ++c)
      v[c] += size * (shared[c] + factors[static_cast<size_t>(i)] * varying[c]);
  }
  return vectors;
}

std::vector<float> BestLogits(TestHead* head, const std::vector<float>& states) {
  std::vector<float> best;
  for (size_t t = 0; t * kClusteredChannels < states.size(); ++t) {
    const std::vector<float> logits = head->FullLogits(static_cast<int64_t>(t));
    best.push_back(*std::max_element(logits.begin(), logits.end()));
  }
  return best;
}

// Every fourth state is kept to judge by.
RecordedStates Recorded(TestHead* head, const std::vector<float>& states) {
  const std::vector<float> best = BestLogits(head, states);
  RecordedStates recorded;
  for (size_t t = 0; t < best.size(); ++t) {
    const auto first = states.begin() + static_cast<int64_t>(t) * kClusteredChannels;
    std::vector<float>& into = t % 4 == 3 ? recorded.judged : recorded.hidden;
    into.insert(into.end(), first, first + kClusteredChannels);
    if (t % 4 == 3) recorded.best_logits.push_back(best[t]);
  }
  return recorded;
}

// How much of the unit vector `v` lies in the directions.
double ShareIn(const std::vector<float>& directions, const std::vector<float>& v) {
  double share = 0.0;
  for (size_t d = 0; d * kClusteredChannels < directions.size(); ++d) {
    double dot = 0.0;
    for (size_t c = 0; c < kClusteredChannels; ++c)
      dot += static_cast<double>(directions[d * kClusteredChannels + c]) * v[c];
    share += dot * dot;
  }
  return share;
}

class CommonParts : public testing::Test {
 protected:
  const std::vector<float> shared_ = UnitVector(1);
  const std::vector<float> varying_ = UnitVector(2);
  TestHead head_{DataType::kQ8_0, kClusteredRows, kClusteredChannels,
                 WithCommonPart(kClusteredRows, 3, shared_, varying_, 40.0F)};
  ThreadPool pool_{2};
};

TEST_F(CommonParts, AreFoundFromRowsAlone) {
  const std::vector<float> found = FindDirections(head_.View(), {}, &pool_).values;
  ASSERT_EQ(found.size() % kClusteredChannels, 0U);
  EXPECT_EQ(found.size() / kClusteredChannels, 2U);
  EXPECT_GT(ShareIn(found, shared_), 0.999);
  EXPECT_GT(ShareIn(found, varying_), 0.999);
}

TEST_F(CommonParts, OfStatesAreFound_OrthonormalForAnyNumberOfThreads) {
  const std::vector<float> of_states = UnitVector(5);
  const std::vector<float> states =
      head_.SetStates(WithCommonPart(100, 6, of_states, of_states, 60.0F));
  const RecordedStates recorded = Recorded(&head_, states);
  const std::vector<float> found = FindDirections(head_.View(), recorded, &pool_).values;
  ASSERT_GE(found.size() / kClusteredChannels, 3U);
  EXPECT_GT(ShareIn(found, shared_), 0.99);
  EXPECT_GT(ShareIn(found, varying_), 0.99);
  EXPECT_GT(ShareIn(found, of_states), 0.99);
  for (size_t d = 0; d < found.size() / kClusteredChannels; ++d) {
    const std::vector<float> one(found.begin() + static_cast<int64_t>(d) * kClusteredChannels,
                                 found.begin() + static_cast<int64_t>(d + 1) * kClusteredChannels);
    EXPECT_NEAR(ShareIn(found, one), 1.0, 1e-5);
  }
  ThreadPool three(3);
  const std::vector<float> again = FindDirections(head_.View(), recorded, &three).values;
  ASSERT_EQ(again.size(), found.size());
  EXPECT_EQ(std::memcmp(again.data(), found.data(), found.size() * sizeof(float)), 0);
}

TEST(CommonDirections, IndependentRowsHaveNone) {
  ThreadPool pool(2);
  TestHead head(DataType::kQ8_0, kClusteredRows, kClusteredChannels,
                Normals(kClusteredRows * kClusteredChannels, 7));
  EXPECT_TRUE(FindDirections(head.View(), {}, &pool).values.empty());
  const std::vector<float> states = head.SetStates(Normals(50 * kClusteredChannels, 8));
  const RecordedStates recorded = Recorded(&head, states);
  EXPECT_LE(FindDirections(head.View(), recorded, &pool).values.size() / kClusteredChannels, 4U);
}

// States that a row stands far out for are forecast to cost about the signs, states that none does
// more than the whole head; a limit is kept, and without states there is no forecast.
TEST(CommonDirections, TheForecastTellsClearWinnersFromNone) {
  ThreadPool pool(2);
  TestHead head(DataType::kQ8_0, kClusteredRows, kClusteredChannels,
                Normals(kClusteredRows * kClusteredChannels, 21));
  EXPECT_FALSE(FindDirections(head.View(), {}, &pool).forecast.has_value());
  std::vector<float> clear;
  for (int64_t t = 0; t < 64; ++t) {
    const std::vector<float> row = head.Row(t * 61);
    clear.insert(clear.end(), row.begin(), row.end());
  }
  const CommonDirections easy =
      FindDirections(head.View(), Recorded(&head, head.SetStates(std::move(clear))), &pool);
  const CommonDirections hard = FindDirections(
      head.View(), Recorded(&head, head.SetStates(Normals(64 * kClusteredChannels, 22))), &pool, 2);
  ASSERT_TRUE(easy.forecast.has_value() && hard.forecast.has_value());
  EXPECT_LT(*easy.forecast, 0.3);
  EXPECT_GT(*hard.forecast, 0.75);
  EXPECT_LE(hard.values.size() / kClusteredChannels, 2U);
}

TEST(CommonDirections, RowsOfNothingAndNarrowRowsHaveNone) {
  ThreadPool pool(1);
  const TestHead zeros(DataType::kF32, 64, kClusteredChannels,
                       std::vector<float>(64 * kClusteredChannels, 0.0F));
  EXPECT_TRUE(FindDirections(zeros.View(), {}, &pool).values.empty());
  const TestHead narrow(DataType::kF32, 64, 16, std::vector<float>(64 * 16, 1.0F));
  EXPECT_TRUE(FindDirections(narrow.View(), {}, &pool).values.empty());
}

// The states that a model's head sees: a common part, and something of the row that is to win.
std::vector<float> StateLike(const TestHead& head, int64_t winner, const std::vector<float>& shared,
                             uint32_t seed) {
  std::vector<float> state = Normals(kClusteredChannels, seed);
  const std::vector<float> row = head.Row(winner);
  const std::vector<float> common = UnitVector(1);
  for (size_t c = 0; c < kClusteredChannels; ++c)
    state[c] += 60.0F * shared[c] + 0.7F * (row[c] - 40.0F * common[c]);
  return state;
}

// The same tokens from far fewer rows, and every row's bound holds, whoever multiplies the signs.
TEST_F(CommonParts, LeaveASearchFewRows) {
  uint64_t refined[2] = {0, 0};
  for (const bool with : {false, true}) {
    const auto bytes = BuildPlanes(head_.View(),
                                   {.seed = RotationSeed::FromNumber(3),
                                    .most_directions = with ? kernels::kMaxDirections : 0,
                                    .rows_digest = kTestDigest},
                                   &pool_);
    ASSERT_TRUE(bytes.has_value());
    AlignedBuffer copy(bytes->SizeBytes());
    std::memcpy(copy.data(), bytes->data(), bytes->SizeBytes());
    const auto planes = Planes::FromBytes(std::move(copy), kTestDigest);
    ASSERT_TRUE(planes.has_value());
    EXPECT_EQ(planes->Shape().directions, with ? 2 : 0);
    Search search(&*planes, &head_, TestKernels(), &pool_, 1, {.certificate = {}, .noise_key = 5});
    Screening screening(&*planes, TestKernels(), &pool_, 1, 5, nullptr);
    for (uint32_t seed = 0; seed < 8; ++seed) {
      const std::vector<float> hidden =
          head_.SetStates(StateLike(head_, 400 * seed + 7, shared_, seed));
      const std::vector<float> full = head_.FullLogits(0);
      screening.Run(hidden.data(), std::array{ScreenDemand()});
      ASSERT_TRUE(screening.State(0).usable);
      for (int64_t row = 0; row < kClusteredRows; ++row) {
        EXPECT_GE(screening.State(0).upper.Pointer<float>()[row], full[static_cast<size_t>(row)]);
      }
      search.Screen(hidden.data(), 1, 1);
      const SearchEvidence evidence = search.Decide(0, {});
      refined[with ? 1 : 0] += evidence.decided ? evidence.rows_refined : kClusteredRows;
      if (!evidence.decided) continue;
      const Candidate* best = nullptr;
      for (const Candidate& candidate : search.Found()) {
        EXPECT_EQ(candidate.logit, full[static_cast<size_t>(candidate.id)]);
        if (best == nullptr || candidate.logit > best->logit) best = &candidate;
      }
      EXPECT_EQ(best->id, std::max_element(full.begin(), full.end()) - full.begin());
    }
  }
  EXPECT_LT(refined[1] * 4, refined[0]);
}

}  // namespace
}  // namespace headway::lmhead
