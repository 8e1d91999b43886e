// A certified head whose signs a device multiplies in 16-bit floats: here an imitation that rounds
// as the certificate allows, or worse.

#include "lmhead/device_signs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kernels/plane_layout.h"
#include "lmhead/head_fixture.h"
#include "lmhead/planes.h"
#include "lmhead/search.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kDeviceRows = 3000;
constexpr int64_t kDeviceChannels = 640;  // two blocks

float Half(double value) { return ToFloat(ToF16(static_cast<float>(value))); }

class HalfDevice final : public DeviceSigns {
 public:
  // `shift`: added to every estimate but those of rows that end on 1, relative to its block sums: a
  // device that does not keep to what is assumed.
  explicit HalfDevice(const Planes* planes, double shift = 0.0) : planes_(*planes), shift_(shift) {}

  void Estimate(const float* rotated, int64_t num_states, float* estimates) noexcept override {
    const int64_t D = planes_.Shape().channels;
    ++calls_;
    for (int64_t s = 0; s < num_states; ++s) {
      for (int64_t row = 0; row < planes_.NumRows(); ++row)
        estimates[s * planes_.NumRows() + row] = One(rotated + s * D, row);
    }
  }
  int64_t Bytes() const override { return planes_.NumRows(); }
  int Calls() const { return calls_; }

 private:
  float One(const float* x, int64_t row) const {
    const int64_t D = planes_.Shape().channels;
    float total = 0.0F;
    for (int64_t b = 0; b < kernels::NumRotationBlocks(D); ++b) {
      const kernels::RotationBlock block = kernels::RotationBlockOf(D, b);
      std::vector<uint8_t> signs(static_cast<size_t>(block.size));
      ReadSigns(planes_, row, b, signs);
      float sum = 0.0F;
      for (size_t j = 0; j < signs.size(); ++j) {
        const float value = x[block.begin + static_cast<int64_t>(j)];
        sum += signs[j] != 0 ? value : -value;
      }
      const float scale = Half(std::ldexp(static_cast<double>(ToFloat(SignTerm(planes_, row, b))),
                                          kDeviceScaleExponent));
      const double worse =
          row % 10 == 1 ? 0.0 : shift_ * std::sqrt(static_cast<double>(block.size * D));
      const float share = Half(static_cast<double>(Half(static_cast<double>(sum) + worse)) *
                               static_cast<double>(scale));
      total = b == 0 ? share : Half(static_cast<double>(total) + static_cast<double>(share));
    }
    return total;
  }

  const Planes& planes_;
  const double shift_;
  int calls_ = 0;
};

TEST(DeviceSigns, GiveTheFullHeadsToken) {
  ThreadPool pool(2);
  TestHead head(DataType::kQ8_0, kDeviceRows, kDeviceChannels,
                Normals(kDeviceRows * kDeviceChannels, 1));
  const Planes planes = head.Build(RotationSeed::FromNumber(7), &pool);
  HalfDevice device(&planes);
  for (const bool deterministic : {false, true}) {
    Search search(&planes, &head, TestKernels(), &pool, 1,
                  {.certificate = {.deterministic = deterministic},
                   .noise_key = 5,
                   .device_or_null = &device});
    int decided = 0;
    for (const double margin : {0.0, 8.0, 12.0, 40.0}) {
      for (uint32_t seed = 0; seed < 4; ++seed)
        decided +=
            CheckState(&search, &head, StateFor(head, seed * 977 + 13, margin, seed)) ? 1 : 0;
    }
    EXPECT_GE(decided, deterministic ? 4 : 10);
  }
  EXPECT_EQ(device.Calls(), 32);
}

// Every row's bound holds, not only the winner's: with delta 1e-9 no row of 3000 may break it.
TEST(DeviceSigns, BoundsHoldForEveryRowAndAreNotMuchWiderThanTables) {
  ThreadPool pool(1);
  TestHead head(DataType::kF32, kDeviceRows, kDeviceChannels,
                Normals(kDeviceRows * kDeviceChannels, 3));
  const Planes planes = head.Build(RotationSeed::FromNumber(2), &pool);
  HalfDevice device(&planes);
  const std::vector<float> hidden = head.SetStates(Normals(kDeviceChannels, 4));
  const std::vector<float> full = head.FullLogits(0);
  double widths[2] = {0.0, 0.0};
  for (const bool on_device : {false, true}) {
    Screening screening(&planes, TestKernels(), &pool, 1, 9, on_device ? &device : nullptr);
    screening.Run(hidden.data(), std::array{ScreenDemand()});
    const ScreenedState& state = screening.State(0);
    ASSERT_TRUE(state.usable);
    for (int64_t row = 0; row < kDeviceRows; ++row) {
      const float upper = state.upper.Pointer<float>()[row];
      EXPECT_GE(upper, full[static_cast<size_t>(row)]) << row;
      widths[on_device ? 1 : 0] +=
          static_cast<double>(upper - full[static_cast<size_t>(row)]) / kDeviceRows;
    }
    for (size_t strip = 0; strip < state.summaries.size(); ++strip) {
      const float* const first = state.upper.Pointer<float>() + strip * 64;
      const auto rows = std::min<int64_t>(64, kDeviceRows - static_cast<int64_t>(strip) * 64);
      EXPECT_EQ(state.summaries[strip].largest_upper, *std::max_element(first, first + rows));
    }
  }
  EXPECT_LT(widths[1], widths[0] * 1.05);
}

TEST(DeviceSigns, TiesAndExtremeRowsGiveTheFullHeadsTokenOrGiveUp) {
  ThreadPool pool(1);
  std::vector<float> rows = Normals(kDeviceRows * kDeviceChannels, 5);
  const auto row = [&](size_t r) {
    return rows.begin() + static_cast<int64_t>(r) * kDeviceChannels;
  };
  std::copy_n(row(100), kDeviceChannels, row(2900));  // a tie
  std::fill_n(row(7), kDeviceChannels, 0.0F);
  for (int64_t c = 0; c < kDeviceChannels; ++c) {
    *(row(8) + c) *= 1e-6F;
    *(row(9) + c) = c == 5 ? 900.0F : 0.0F;  // one channel
  }
  for (const DataType type : {DataType::kF32, DataType::kF16, DataType::kQ8_0}) {
    TestHead head(type, kDeviceRows, kDeviceChannels, rows);
    const Planes planes = head.Build(RotationSeed::FromNumber(4), &pool);
    HalfDevice device(&planes);
    Search search(&planes, &head, TestKernels(), &pool, 1,
                  {.certificate = {}, .noise_key = 3, .device_or_null = &device});
    EXPECT_TRUE(CheckState(&search, &head, StateFor(head, 100, 14.0, 1)));
    EXPECT_EQ(Best(search.Found()), 100);
    for (const double scale : {1e-3, 1.0, 1e4}) {
      std::vector<float> state = StateFor(head, 2000, 12.0, 2);
      for (float& value : state) value = static_cast<float>(static_cast<double>(value) * scale);
      CheckState(&search, &head, state);
    }
    std::vector<float> one(kDeviceChannels, 0.0F);
    one[5] = 1.0F;
    CheckState(&search, &head, one);
    CheckState(&search, &head, std::vector<float>(kDeviceChannels, 0.0F));
  }
}

// Where the device's range does not suffice its sums are not finite: the full head's business.
TEST(DeviceSigns, SumsThatAreNotFinite_AreLeftToTheFullHead) {
  class Overflowing final : public DeviceSigns {
   public:
    void Estimate(const float* /*rotated*/, int64_t num_states,
                  float* estimates) noexcept override {
      std::fill_n(estimates, num_states * 300, 1.0F);
      estimates[123] = std::numeric_limits<float>::infinity();
    }
    int64_t Bytes() const override { return 1; }
  };
  ThreadPool pool(1);
  TestHead head(DataType::kF32, 300, kDeviceChannels, Normals(300 * kDeviceChannels, 6));
  const Planes planes = head.Build(RotationSeed::FromNumber(1), &pool);
  Overflowing device;
  Search search(&planes, &head, TestKernels(), &pool, 1,
                {.certificate = {}, .noise_key = 3, .device_or_null = &device});
  const std::vector<float> hidden = head.SetStates(Normals(kDeviceChannels, 7));
  search.Screen(hidden.data(), 1, 1);
  EXPECT_FALSE(search.Decide(0, {}).decided);
}

// The assumption is needed: a device that sums worse loses winners.
TEST(DeviceSigns, ADeviceThatSumsWorse_LosesWinners) {
  ThreadPool pool(1);
  TestHead head(DataType::kF32, kDeviceRows, kDeviceChannels,
                Normals(kDeviceRows * kDeviceChannels, 8));
  const Planes planes = head.Build(RotationSeed::FromNumber(5), &pool);
  HalfDevice device(&planes, -1.0);
  Search search(&planes, &head, TestKernels(), &pool, 1,
                {.certificate = {}, .noise_key = 3, .device_or_null = &device});
  int lost = 0;
  for (uint32_t seed = 0; seed < 8; ++seed) {
    const std::vector<float> hidden = head.SetStates(StateFor(head, 100 * seed, 8.0, seed));
    search.Screen(hidden.data(), 1, 1);
    if (!search.Decide(0, {}).decided) continue;
    lost += Best(search.Found()) != ArgMax(head.FullLogits(0)) ? 1 : 0;
  }
  EXPECT_GE(lost, 4);
}

TEST(DeviceSigns, StatesAreScaledByPowersOfTwo) {
  for (const float size : {1e-6F, 1.0F, 3e5F}) {
    std::vector<float> state = Normals(kDeviceChannels, 9);
    for (float& value : state) value *= size;
    std::vector<float> scaled(state.size());
    const int exponent = ScaleForDevice(state, scaled);
    double squares = 0.0;
    for (size_t c = 0; c < state.size(); ++c) {
      const double exact = std::ldexp(static_cast<double>(state[c]), exponent);
      EXPECT_NEAR(static_cast<double>(scaled[c]), exact, std::fabs(exact) * 0x1p-11 + 0x1p-25);
      squares += exact * exact;
    }
    const double norm = std::sqrt(squares / kDeviceChannels);
    EXPECT_GE(norm, 0.5);
    EXPECT_LE(norm, 1.0);
  }
}

}  // namespace
}  // namespace headway::lmhead
