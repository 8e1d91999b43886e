#include "lmhead/check_planes.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/plane_layout.h"
#include "lmhead/head_fixture.h"
#include "lmhead/planes.h"

namespace headway::lmhead {
namespace {

constexpr int64_t kCheckedRows = 300;
constexpr int64_t kCheckedChannels = 640;  // two blocks, 384 and 256
constexpr kernels::PlaneShape kShape{.channels = kCheckedChannels, .directions = 0};

AlignedBuffer BytesOf(const TestHead& head, ThreadPool* pool) {
  return *BuildPlanes(head.View(),
                      {.seed = RotationSeed::FromNumber(3), .rows_digest = kTestDigest}, pool);
}

PlanesCheck CheckBytes(const TestHead& head, AlignedBuffer bytes, ThreadPool* pool) {
  const auto planes = Planes::FromBytes(std::move(bytes), kTestDigest);
  EXPECT_TRUE(planes.has_value());
  return CheckPlanes(
      *planes,
      [&](int64_t row, float* out) {
        const std::vector<float> values = head.Row(row);
        std::copy(values.begin(), values.end(), out);
      },
      TestKernels(), pool);
}

TEST(CheckPlanes, SoundPlanesOfEveryKindOfRowPass) {
  ThreadPool pool(2);
  std::vector<float> rows = Normals(kCheckedRows * kCheckedChannels, 1);
  std::fill_n(rows.begin() + 5 * kCheckedChannels, kCheckedChannels, 0.0F);      // nothing
  std::fill_n(rows.begin() + 6 * kCheckedChannels, kCheckedChannels / 2, 0.0F);  // half a row
  for (size_t c = 0; c < kCheckedChannels; ++c) rows[7 * kCheckedChannels + c] *= 1e-4F;
  std::fill_n(rows.begin() + 8 * kCheckedChannels, kCheckedChannels, 0.0F);
  rows[8 * kCheckedChannels + 3] = 50.0F;  // one channel
  for (const DataType type :
       {DataType::kF32, DataType::kF16, DataType::kQ8_0, DataType::kQ4_0, DataType::kQ4_1}) {
    const TestHead head(type, kCheckedRows, kCheckedChannels, rows);
    const PlanesCheck check = CheckBytes(head, BytesOf(head, &pool), &pool);
    EXPECT_EQ(check.bad_rows, 0) << check.problem;
    EXPECT_EQ(check.num_rows, kCheckedRows);
    EXPECT_LT(check.worst_excess, 0.01);
  }
}

// Every fault in the bytes of one row is found and named by its row.
TEST(CheckPlanes, OneWrongBitOrScaleIsFound) {
  ThreadPool pool(2);
  const TestHead head(DataType::kQ8_0, kCheckedRows, kCheckedChannels,
                      Normals(kCheckedRows * kCheckedChannels, 2));
  const PlanesPlaces places = PlanesPlacesOf(kCheckedRows, kShape);
  const AlignedBuffer sound = BytesOf(head, &pool);
  const auto broken = [&](const std::function<void(std::byte*)>& damage) {
    AlignedBuffer bytes(sound.SizeBytes());
    std::memcpy(bytes.data(), sound.data(), sound.SizeBytes());
    damage(bytes.data());
    return CheckBytes(head, std::move(bytes), &pool);
  };
  const auto scale_half = [](std::byte* at, float factor) {
    F16 half;
    std::memcpy(&half, at, sizeof half);
    half = ToF16(ToFloat(half) * factor);
    std::memcpy(at, &half, sizeof half);
  };
  constexpr int64_t kRow = 77;
  int found = 0;
  constexpr int kTries = 40;
  for (int i = 0; i < kTries; ++i) {
    const int64_t group = i % (kernels::SignGroups(384));
    const PlanesCheck check = broken([&](std::byte* bytes) {
      bytes[places.signs + kernels::SignByteOffset(kCheckedChannels, 0, group / 4 * 4, kRow)] ^=
          std::byte{static_cast<uint8_t>(1U << (i % 6))};
    });
    EXPECT_LE(check.bad_rows, 1);
    if (check.bad_rows == 1) {
      ++found;
      EXPECT_NE(check.problem.find("row 77:"), std::string::npos) << check.problem;
    }
  }
  // A weight of nearly zero has no sign to speak of.
  EXPECT_GE(found, kTries - 2);
  for (const int64_t plane :
       {places.records + kRow * kernels::RefineRecordBytes(kShape),
        places.third_bits + kRow * kernels::RefineBitsBytes(kCheckedChannels)}) {
    int bits = 0;
    for (int i = 0; i < kTries; ++i) {
      const PlanesCheck check =
          broken([&](std::byte* bytes) { bytes[plane + 3 + i] ^= std::byte{2}; });
      bits += check.bad_rows == 1 ? 1 : 0;
    }
    EXPECT_GE(bits, kTries * 9 / 10);
  }
  for (const float factor : {1.01F, 0.99F}) {
    EXPECT_EQ(broken([&](std::byte* bytes) {
                scale_half(bytes + places.signs + kernels::SignTermOffset(kShape, 1, kRow), factor);
              }).bad_rows,
              1);
    EXPECT_EQ(broken([&](std::byte* bytes) {
                scale_half(bytes + places.records + kRow * kernels::RefineRecordBytes(kShape) +
                               kernels::RefineBitsBytes(kCheckedChannels),
                           factor);
              }).bad_rows,
              1);
  }
  // A gamma that promises too much.
  EXPECT_EQ(broken([&](std::byte* bytes) {
              scale_half(bytes + places.signs + kernels::SignTermOffset(kShape, 2, kRow), 0.95F);
            }).bad_rows,
            1);
}

// With common directions: sound planes pass, a coefficient or a slack that is off does not.
TEST(CheckPlanes, OneWrongCoefficientOrSlackIsFound) {
  ThreadPool pool(2);
  std::vector<float> rows = Normals(kCheckedRows * kCheckedChannels, 6);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] += 3.0F * static_cast<float>(i % 5);
  const TestHead head(DataType::kQ8_0, kCheckedRows, kCheckedChannels, rows);
  const AlignedBuffer sound = BytesOf(head, &pool);
  PlanesHeader header{};
  std::memcpy(&header, sound.data(), sizeof header);
  const kernels::PlaneShape shape = ShapeOf(header);
  ASSERT_EQ(shape.directions, 1);
  const PlanesPlaces places = PlanesPlacesOf(kCheckedRows, shape);
  constexpr int64_t kRow = 77;
  const auto bad_rows = [&](int64_t term, float factor, bool both) {
    AlignedBuffer bytes(sound.SizeBytes());
    std::memcpy(bytes.data(), sound.data(), sound.SizeBytes());
    std::byte* const sign =
        bytes.data() + places.signs + kernels::SignTermOffset(shape, term, kRow);
    std::byte* const record = bytes.data() + places.records +
                              kRow * kernels::RefineRecordBytes(shape) +
                              kernels::RefineBitsBytes(kCheckedChannels) + 2 * term;
    F16 half;
    std::memcpy(&half, sign, sizeof half);
    half = ToF16(ToFloat(half) * factor);
    std::memcpy(sign, &half, sizeof half);
    if (both) std::memcpy(record, &half, sizeof half);
    return CheckBytes(head, std::move(bytes), &pool).bad_rows;
  };
  EXPECT_EQ(bad_rows(kernels::CoefficientTerm(shape, 0), 1.0F, true), 0);
  EXPECT_EQ(bad_rows(kernels::CoefficientTerm(shape, 0), 1.01F, true), 1);
  EXPECT_EQ(bad_rows(kernels::CoefficientTerm(shape, 0), 1.01F, false), 1);
  EXPECT_EQ(bad_rows(kernels::SlackTerm(shape), 0.01F, true), 1);
}

TEST(CheckPlanes, PlanesOfOtherRowsAreBadAlmostEverywhere) {
  ThreadPool pool(2);
  const TestHead head(DataType::kF32, kCheckedRows, kCheckedChannels,
                      Normals(kCheckedRows * kCheckedChannels, 4));
  const TestHead other(DataType::kF32, kCheckedRows, kCheckedChannels,
                       Normals(kCheckedRows * kCheckedChannels, 5));
  EXPECT_EQ(CheckBytes(head, BytesOf(other, &pool), &pool).bad_rows, kCheckedRows);
}

}  // namespace
}  // namespace headway::lmhead
