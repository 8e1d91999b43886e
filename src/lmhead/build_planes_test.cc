#include "lmhead/build_planes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>

#include "lmhead/head_fixture.h"

namespace headway::lmhead {
namespace {

TEST(BuildPlanes, PlanesDoNotDependOnThreadsAndBelongToTheirRows) {
  TestHead head(DataType::kQ8_0, 700, 640, Normals(700 * 640, 1));
  ThreadPool one(1);
  ThreadPool three(3);
  const BuildOptions options{.seed = RotationSeed::FromNumber(7), .rows_digest = kTestDigest};
  auto a = BuildPlanes(head.View(), options, &one);
  auto b = BuildPlanes(head.View(), options, &three);
  ASSERT_TRUE(a.has_value() && b.has_value());
  ASSERT_EQ(a->SizeBytes(), b->SizeBytes());
  EXPECT_EQ(std::memcmp(a->data(), b->data(), a->SizeBytes()), 0);
  const std::string other(32, 'f');
  const auto wrong = Planes::FromBytes(*std::move(a), other);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(wrong.error().message.find("do not belong together"), std::string::npos);
}

// What is packed opens: larger norms are refused here, not when the package is used.
TEST(BuildPlanes, RowsBeyondTheLargestNormHaveNoPlanes) {
  std::vector<float> rows = Normals(100 * 64, 1);
  ThreadPool pool(1);
  const BuildOptions options{.seed = RotationSeed::FromNumber(7), .rows_digest = kTestDigest};
  for (const float weight : {9e37F, 2e38F}) {
    rows[777] = weight;
    TestHead head(DataType::kF32, 100, 64, rows);
    auto planes = BuildPlanes(head.View(), options, &pool);
    ASSERT_EQ(planes.has_value(), weight < 1e38F);
    if (planes) {
      EXPECT_TRUE(Planes::FromBytes(*std::move(planes), kTestDigest).has_value());
    } else {
      EXPECT_EQ(planes.error().code, ErrorCode::kUnsupported);
    }
  }
}

TEST(BuildPlanes, WeightsThatAreNoNumbersHaveNoPlanes) {
  std::vector<float> rows = Normals(100 * 64, 1);
  rows[777] = std::numeric_limits<float>::infinity();
  TestHead head(DataType::kF32, 100, 64, rows);
  ThreadPool pool(1);
  const auto planes = BuildPlanes(
      head.View(), {.seed = RotationSeed::FromNumber(7), .rows_digest = kTestDigest}, &pool);
  ASSERT_FALSE(planes.has_value());
  EXPECT_EQ(planes.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace headway::lmhead
