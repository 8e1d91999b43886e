// Hostile planes files: damaged headers are refused with a reason, and never trusted.

#include "lmhead/planes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "lmhead/build_planes.h"
#include "lmhead/head_fixture.h"

namespace headway::lmhead {
namespace {

class PlanesFile : public testing::Test {
 protected:
  void SetUp() override {
    ThreadPool pool(1);
    const TestHead head(DataType::kQ8_0, 70, 64, std::vector<float>(70 * 64, 0.5F));
    auto built = BuildPlanes(
        head.View(), {.seed = RotationSeed::FromNumber(7), .rows_digest = kTestDigest}, &pool);
    ASSERT_TRUE(built.has_value());
    bytes_.assign(built->data(), built->data() + built->SizeBytes());
  }

  // Opens the file with a changed header and a changed size.
  Result<Planes> Open(const std::function<void(PlanesHeader*)>& change, size_t size) const {
    std::vector<std::byte> changed = bytes_;
    PlanesHeader header{};
    std::memcpy(&header, changed.data(), sizeof header);
    change(&header);
    std::memcpy(changed.data(), &header, sizeof header);
    AlignedBuffer buffer(size);
    std::copy_n(changed.data(), std::min(size, changed.size()), buffer.data());
    return Planes::FromBytes(std::move(buffer), kTestDigest);
  }

  std::vector<std::byte> bytes_;
};

TEST_F(PlanesFile, DamagedHeadersAreRefused) {
  ASSERT_TRUE(Open([](PlanesHeader*) {}, bytes_.size()).has_value());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::function<void(PlanesHeader*)>> damages = {
      [](PlanesHeader* h) { h->magic[3] ^= 1; },
      [](PlanesHeader* h) { h->num_rows = 0; },
      [](PlanesHeader* h) { h->num_rows = -1; },
      [](PlanesHeader* h) { h->num_rows = std::numeric_limits<int64_t>::max(); },
      [](PlanesHeader* h) { h->num_rows = 71; },
      [](PlanesHeader* h) { h->num_channels = 0; },
      [](PlanesHeader* h) { h->num_channels = std::numeric_limits<int64_t>::min(); },
      [](PlanesHeader* h) { h->num_channels = 128; },
      [](PlanesHeader* h) { h->scale_exponent = 4000; },
      [](PlanesHeader* h) { h->rotation_defect = -1e-9; },
      [nan](PlanesHeader* h) { h->rotation_defect = nan; },
      [](PlanesHeader* h) { h->num_directions = -1; },
      [](PlanesHeader* h) { h->num_directions = 3; },
      [](PlanesHeader* h) { h->num_directions = kernels::kMaxDirections + 1; },
      [](PlanesHeader* h) { h->largest_row_norm = std::numeric_limits<double>::infinity(); },
      [](PlanesHeader* h) { h->rows_digest[0] = 'x'; },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    const auto planes = Open(damages[i], bytes_.size());
    ASSERT_FALSE(planes.has_value()) << "damage " << i;
    EXPECT_EQ(planes.error().code, ErrorCode::kCorrupt) << "damage " << i;
    EXPECT_NE(planes.error().message.find("expected"), std::string::npos) << "damage " << i;
  }
}

TEST_F(PlanesFile, FilesOfAnotherSizeAreRefused) {
  for (const size_t size : {size_t{0}, size_t{1}, sizeof(PlanesHeader) - 1, sizeof(PlanesHeader),
                            bytes_.size() - 64, bytes_.size() + 64}) {
    const auto planes = Open([](PlanesHeader*) {}, size);
    ASSERT_FALSE(planes.has_value()) << size;
    EXPECT_EQ(planes.error().code, ErrorCode::kCorrupt) << size;
  }
}

}  // namespace
}  // namespace headway::lmhead
