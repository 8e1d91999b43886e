#include "lmhead/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "lmhead/head_fixture.h"
#include "sampling/softmax_mass.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kRows = 3000;
constexpr int64_t kChannels = 256;

class EveryType : public testing::TestWithParam<DataType> {};

TEST_P(EveryType, GivesTheFullHeadsTokenAtEveryMargin) {
  ThreadPool pool(2);
  TestHead head(GetParam(), kRows, kChannels, Normals(kRows * kChannels, 1));
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  Search search(&planes, &head, TestKernels(), &pool, 1, {.certificate = {}, .noise_key = 5});
  int decided = 0;
  for (const double margin : {0.0, 6.0, 10.0, 14.0}) {
    for (uint32_t seed = 0; seed < 5; ++seed) {
      const auto state = StateFor(head, (seed * 997 + 13) % kRows, margin, seed);
      decided += CheckState(&search, &head, state) ? 1 : 0;
    }
  }
  EXPECT_GE(decided, 10);
}

INSTANTIATE_TEST_SUITE_P(Search, EveryType,
                         testing::Values(DataType::kQ8_0, DataType::kQ4_0, DataType::kQ4_1,
                                         DataType::kQ5_0, DataType::kQ5_1, DataType::kQ4_K,
                                         DataType::kQ5_K, DataType::kQ6_K, DataType::kQ2_K,
                                         DataType::kQ3_K, DataType::kIQ4_NL, DataType::kIQ4_XS,
                                         DataType::kMXFP4, DataType::kF32, DataType::kF16,
                                         DataType::kBF16),
                         [](const auto& each) { return std::string(Traits(each.param).name); });

// Rows that a bound may trip over. Every state must give the full head's token, or give up.
struct Adversary {
  const char* name;
  void (*shape)(std::vector<float>* rows);
};

float* RowOf(std::vector<float>* rows, int64_t row) { return rows->data() + row * kChannels; }

const Adversary kAdversaries[] = {
    {"Duplicates",
     [](std::vector<float>* rows) {
       for (int64_t r = 0; r < kRows; ++r)
         std::copy_n(RowOf(rows, r % 7), kChannels, RowOf(rows, r));
     }},
    {"TiesOfTheWinner",
     [](std::vector<float>* rows) {
       for (const int64_t r : {5, 1700, 2999})
         std::copy_n(RowOf(rows, 1234), kChannels, RowOf(rows, r));
     }},
    {"NeighboursOneCodeApart",
     [](std::vector<float>* rows) {
       for (int64_t r = 100; r < 400; ++r) {
         std::copy_n(RowOf(rows, 1234), kChannels, RowOf(rows, r));
         RowOf(rows, r)[r % kChannels] *= 1.01F;
       }
     }},
    {"ZeroRows",
     [](std::vector<float>* rows) {
       std::fill(rows->begin() + 500 * kChannels, rows->begin() + 2500 * kChannels, 0.0F);
     }},
    {"HugeNorms",
     [](std::vector<float>* rows) {
       for (int64_t r = 0; r < kRows; r += 10) {
         for (int64_t c = 0; c < kChannels; ++c) RowOf(rows, r)[c] *= 300.0F;
       }
     }},
    {"TinyNorms",
     [](std::vector<float>* rows) {
       for (int64_t r = 0; r < kRows; ++r) {
         if (r % 100 == 0) continue;
         for (int64_t c = 0; c < kChannels; ++c) RowOf(rows, r)[c] *= 1e-4F;
       }
     }},
    {"EnergyInOneChannel",
     [](std::vector<float>* rows) {
       for (int64_t r = 0; r < kRows; ++r) {
         for (int64_t c = 0; c < kChannels; ++c)
           RowOf(rows, r)[c] *= c == r % kChannels ? 1 : 0.01F;
       }
     }},
    {"ALargeCommonPartAndRowsThatAreNothingElse",
     [](std::vector<float>* rows) {
       for (int64_t r = 0; r < kRows; ++r) {
         const float own = r % 50 == 0 ? 0.0F : r % 50 == 1 ? 1e-5F : 1.0F;
         for (int64_t c = 0; c < kChannels; ++c) {
           float& value = RowOf(rows, r)[c];
           value = own * value + 30.0F * static_cast<float>(c % 5 - 2) * (r % 7 == 0 ? -1 : 1);
         }
       }
     }},
    {"AllLogitsNearlyEqual",
     [](std::vector<float>* rows) {
       for (int64_t r = 0; r < kRows; ++r) {
         for (int64_t c = 0; c < kChannels; ++c)
           RowOf(rows, r)[c] = 1.0F + 1e-3F * RowOf(rows, r)[c];
       }
     }},
};

class AdversarialRows : public testing::TestWithParam<Adversary> {};

TEST_P(AdversarialRows, GiveTheFullHeadsTokenOrGiveUp) {
  ThreadPool pool(1);
  std::vector<float> rows = Normals(kRows * kChannels, 2);
  GetParam().shape(&rows);
  for (const DataType type : {DataType::kQ8_0, DataType::kF16, DataType::kQ4_K}) {
    TestHead head(type, kRows, kChannels, rows);
    const Planes planes = head.Build(RotationSeed::FromNumber(9), &pool);
    Search search(&planes, &head, TestKernels(), &pool, 1, {.certificate = {}, .noise_key = 6});
    for (uint32_t seed = 0; seed < 4; ++seed) {
      // The last row wins, a middle one, or nobody stands out.
      CheckState(&search, &head, StateFor(head, kRows - 1, 12.0, seed));
      CheckState(&search, &head, StateFor(head, 1234, 9.0, seed));
      CheckState(&search, &head, StateFor(head, 0, 0.0, seed));
    }
    std::vector<float> one_block(kChannels, 0.0F);
    std::copy_n(head.Row(1234).begin(), 32, one_block.begin());
    CheckState(&search, &head, one_block);
    CheckState(&search, &head, std::vector<float>(kChannels, 0.0F));
    CheckState(&search, &head, std::vector<float>(kChannels, 1e-30F));
  }
}

INSTANTIATE_TEST_SUITE_P(Search, AdversarialRows, testing::ValuesIn(kAdversaries),
                         [](const auto& each) { return std::string(each.param.name); });

// Logits of a soft cap that most of them feel: the winners are those of the capped logits, perturbed
// or not, and what is known of the rest bounds it. Every other state makes all products negative, to
// where tanh is flat: bounds of products, below the capped logits there, would lose winners.
TEST(Search, SoftCappedLogits_AreBounded) {
  constexpr float kCap = 20.0F;
  ThreadPool pool(2);
  std::vector<float> rows = Normals(kRows * kChannels, 1);
  for (float& value : rows) value -= 0.5F;
  TestHead head(DataType::kQ8_0, kRows, kChannels, rows);
  head.SetSoftCap(kCap);
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  Search search(&planes, &head, TestKernels(), &pool, 1,
                {.certificate = {}, .noise_key = 5, .soft_cap = kCap});
  Search uncapped(&planes, &head, TestKernels(), &pool, 1, {.certificate = {}, .noise_key = 5});
  int decided = 0;
  int lost = 0;
  for (uint32_t seed = 0; seed < 16; ++seed) {
    std::vector<float> state = StateFor(head, (seed * 997 + 13) % kRows, 0.6 * seed, seed);
    for (float& value : state) value += seed % 2 == 0 ? 0.0F : 0.6F;
    const std::vector<float> hidden = head.SetStates(state);
    const std::vector<float> full = head.FullLogits(0);
    search.Screen(hidden.data(), 1, 1);
    uncapped.Screen(hidden.data(), 1, 1);
    for (const bool perturbed : {true, false}) {
      const SearchGoal goal{.perturbed = perturbed,
                            .inverse_temperature = perturbed ? 0.15F : 1.0F,
                            .seed = 3,
                            .position = seed,
                            .give_up = 100.0};
      const kernels::ArgMax winner =
          perturbed ? TestKernels().gumbel_argmax(full.data(), kRows, 0.15F, 3, seed, 0)
                    : TestKernels().argmax(full.data(), kRows);
      const auto has_winner = [&](const Search& by) {
        const auto found = by.Found();
        return std::any_of(found.begin(), found.end(),
                           [&](const Candidate& c) { return c.id == winner.index; });
      };
      if (uncapped.Decide(0, goal).decided && !has_winner(uncapped)) ++lost;
      if (!search.Decide(0, goal).decided) continue;
      ++decided;
      EXPECT_TRUE(has_winner(search)) << seed << " " << perturbed;
      for (const Candidate& c : search.Found()) EXPECT_EQ(c.logit, full[static_cast<size_t>(c.id)]);
      if (perturbed) continue;
      const float best = full[static_cast<size_t>(winner.index)];
      sampling::SoftmaxMass mass;
      uint64_t rest = 0;
      for (const float logit : full) rest += mass.Mass(best - logit);
      for (const Candidate& c : search.Found()) rest -= mass.Mass(best - c.logit);
      EXPECT_GE(search.MassOfRest(best), static_cast<double>(rest));
    }
  }
  EXPECT_GE(decided, 24);
  EXPECT_GE(lost, 2);
}

TEST(Search, StatesThatAreNoNumbersAreLeftToTheFullHead) {
  ThreadPool pool(1);
  TestHead head(DataType::kF32, 300, kChannels, Normals(300 * kChannels, 3));
  const Planes planes = head.Build(RotationSeed::FromNumber(1), &pool);
  Search search(&planes, &head, TestKernels(), &pool, 1, {.certificate = {}, .noise_key = 6});
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30F}) {
    std::vector<float> state = Normals(kChannels, 4);
    state[17] = bad;
    search.Screen(state.data(), 1, 1);
    EXPECT_FALSE(search.Decide(0, {}).decided);
  }
}

// Rows that differ from the winner by a hair: the estimate of the winner alone decides whether it
// is kept. With a tenth of the radius it is often lost; so the radius is what keeps it.
TEST(Search, ASmallerRadiusLosesWinnersAmongNearTies) {
  constexpr int64_t kFew = 40;
  ThreadPool pool(1);
  std::vector<float> rows = Normals(kRows * kChannels, 21);
  // The first rows have logits of 5 sigma that differ by 1e-4 of it; what else is in them the state
  // does not see.
  const std::vector<float> direction = Normals(kChannels, 22);
  double squares = 0.0;
  for (const float value : direction) squares += static_cast<double>(value) * value;
  for (int64_t r = 0; r < kFew; ++r) {
    float* row = rows.data() + r * kChannels;
    double dot = 0.0;
    for (int64_t c = 0; c < kChannels; ++c)
      dot += static_cast<double>(row[c]) * direction[static_cast<size_t>(c)];
    const double wanted = (5.0 + 1e-4 * static_cast<double>(r * 7 % kFew)) * std::sqrt(squares);
    for (int64_t c = 0; c < kChannels; ++c) {
      row[c] += static_cast<float>((wanted - dot) / squares *
                                   static_cast<double>(direction[static_cast<size_t>(c)]));
    }
  }
  TestHead head(DataType::kF32, kRows, kChannels, rows);
  const std::vector<float> hidden = head.SetStates(direction);
  const int32_t winner = ArgMax(head.FullLogits(0));
  const auto loses = [&](const Planes& planes, uint64_t seed, double scale) {
    Search search(&planes, &head, TestKernels(), &pool, 1,
                  {.certificate = {.radius_scale = scale}, .noise_key = seed});
    search.Screen(hidden.data(), 1, 1);
    EXPECT_TRUE(search.Decide(0, {}).decided);
    return Best(search.Found()) != winner;
  };
  int lost_with_a_tenth = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    // Nothing in common: not looking for it saves nine tenths of the test's time.
    const Planes planes = head.Build(RotationSeed::FromNumber(seed), &pool, 0);
    lost_with_a_tenth += loses(planes, seed, 0.1) ? 1 : 0;
    EXPECT_FALSE(loses(planes, seed, 1.0)) << seed;
  }
  EXPECT_GE(lost_with_a_tenth, 3);
}

TEST(Search, DeterministicCertificatesGiveTheSameToken) {
  ThreadPool pool(2);
  TestHead head(DataType::kQ8_0, kRows, kChannels, Normals(kRows * kChannels, 1));
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  Search search(&planes, &head, TestKernels(), &pool, 1,
                {.certificate = {.deterministic = true}, .noise_key = 5});
  int decided = 0;
  for (uint32_t seed = 0; seed < 5; ++seed) {
    decided += CheckState(&search, &head, StateFor(head, 77, 14.0, seed)) ? 1 : 0;
  }
  EXPECT_GE(decided, 1);
}

TEST(Search, BatchesGiveWhatSingleStatesGive) {
  ThreadPool pool(2);
  TestHead head(DataType::kQ8_0, kRows, kChannels, Normals(kRows * kChannels, 1));
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  constexpr int64_t kBatch = 8;
  std::vector<float> states;
  for (uint32_t t = 0; t < kBatch; ++t) {
    const auto state = StateFor(head, 300 * t, 8.0 + t, t);
    states.insert(states.end(), state.begin(), state.end());
  }
  for (int64_t batch = 1; batch <= kBatch; ++batch) {
    Search search(&planes, &head, TestKernels(), &pool, batch, {.certificate = {}, .noise_key = 5});
    const std::vector<float> hidden =
        head.SetStates(std::span(states).first(static_cast<size_t>(batch * kChannels)));
    search.Screen(hidden.data(), batch, 1);
    for (int64_t t = 0; t < batch; ++t) {
      ASSERT_TRUE(search.Decide(t, {}).decided);
      EXPECT_EQ(Best(search.Found()), ArgMax(head.FullLogits(t))) << batch << " " << t;
    }
  }
}

// The k best rows, or those within a margin, are all there.
TEST(Search, FindsTheBestKAndThoseWithinAMargin) {
  ThreadPool pool(2);
  TestHead head(DataType::kQ8_0, kRows, kChannels, Normals(kRows * kChannels, 1));
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  Search search(&planes, &head, TestKernels(), &pool, 1, {.certificate = {}, .noise_key = 5});
  int decided = 0;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> hidden = head.SetStates(StateFor(head, 50 * seed, 9.0, seed));
    std::vector<float> full = head.FullLogits(0);
    for (const int64_t keep : {3, 12}) {
      search.Screen(hidden.data(), 1, keep);
      if (!search.Decide(0, {.keep = keep}).decided) continue;
      ++decided;
      std::vector<float> sorted = full;
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      const float least = sorted[static_cast<size_t>(keep - 1)];
      std::vector<int32_t> found;
      for (const Candidate& c : search.Found()) found.push_back(c.id);
      for (size_t i = 0; i < full.size(); ++i) {
        if (full[i] < least) continue;
        EXPECT_TRUE(std::binary_search(found.begin(), found.end(), static_cast<int32_t>(i)));
      }
    }
  }
  EXPECT_GE(decided, 5);
}

}  // namespace
}  // namespace headway::lmhead
