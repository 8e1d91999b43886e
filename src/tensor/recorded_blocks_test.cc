// What DequantiseRow makes of known bytes of every quantised type, against what PyPI's `gguf`
// package (0.19.0, gguf/quants.py) makes of the same: recorded by tools/record_blocks.py, which
// says how the bytes come about. Bits, so that rounding and signs of zero count.

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "tensor/blocks.h"
#include "tensor/codec.h"

namespace headway {
namespace {

constexpr int64_t kBlocks = 8;

struct RecordedType {
  DataType type;
  uint64_t seed;                    // its number in GGUF files
  std::vector<size_t> halves;       // where the binary16 numbers of a block begin
  uint64_t digest;                  // FNV-1a over the bits of all values
  std::array<uint32_t, 3> samples;  // bits of values 0, 21 and the last
};

const RecordedType kRecorded[] = {
    {DataType::kQ4_0, 2, {0}, 0xd3980b2676769325U, {0xbad9c000U, 0x3ad9c000U, 0xbf433000U}},
    {DataType::kQ4_1, 3, {0, 2}, 0x8476f735aabf6931U, {0xbbaf7800U, 0xbc074a00U, 0x3a91a400U}},
    {DataType::kQ5_0, 6, {0}, 0x16dd252a7d144925U, {0xbd000000U, 0x3dd00000U, 0xbdafb000U}},
    {DataType::kQ5_1, 7, {0, 2}, 0x37fc05c36518e176U, {0x3bdf4800U, 0x3b6c5400U, 0x3fad3e00U}},
    {DataType::kQ8_0, 8, {0}, 0x756e29008d236da5U, {0xc2262480U, 0xc1f87000U, 0x3eefb000U}},
    {DataType::kQ2_K, 10, {80, 82}, 0xc4379cdf44304671U, {0xbf3a4980U, 0xbb862000U, 0x3f757000U}},
    {DataType::kQ3_K, 11, {108}, 0x310522af951cf565U, {0x80000000U, 0x3b7e1000U, 0xc01e0000U}},
    {DataType::kQ4_K, 12, {0, 2}, 0x4890d21d74c890c2U, {0xbe965240U, 0xbde92b80U, 0xc1604780U}},
    {DataType::kQ5_K, 13, {0, 2}, 0xf9a9554f20b0f96dU, {0x41e474a8U, 0x41e474a8U, 0x4201f960U}},
    {DataType::kQ6_K, 14, {208}, 0x9742897b13ab1e5dU, {0xc1a91a00U, 0xc3f0f840U, 0x42add900U}},
    {DataType::kIQ4_NL, 20, {0}, 0x039989ac1faa8525U, {0x3a082000U, 0x3ac91800U, 0x3f18f800U}},
    {DataType::kIQ4_XS, 23, {0}, 0xa5db49de55b4aef5U, {0xbb92e000U, 0xbd3ef000U, 0x4043cbf0U}},
    {DataType::kMXFP4, 39, {}, 0x2c2ceefa076bb725U, {0xf7000000U, 0x77000000U, 0xdc800000U}},
};

std::vector<std::byte> BytesFrom(uint64_t seed, size_t count) {
  std::vector<std::byte> bytes(count + 8);
  uint64_t state = seed;
  for (size_t i = 0; i < count; i += 8) {
    state += 0x9e3779b97f4a7c15U;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    std::memcpy(&bytes[i], &z, sizeof z);
  }
  bytes.resize(count);
  return bytes;
}

TEST(RecordedBlocksTest, DequantiseRow_EqualsTheGgufPackageBitForBit) {
  for (const RecordedType& recorded : kRecorded) {
    const DataTypeTraits& traits = Traits(recorded.type);
    const auto block_bytes = static_cast<size_t>(traits.block_bytes);
    std::vector<std::byte> row = BytesFrom(recorded.seed, kBlocks * block_bytes);
    for (size_t block = 0; block < row.size(); block += block_bytes) {
      for (const size_t half : recorded.halves) row[block + half + 1] &= std::byte{0xbf};
    }
    std::vector<float> values(static_cast<size_t>(kBlocks * traits.block_elements));
    DequantiseRow(recorded.type, row.data(), static_cast<int64_t>(values.size()), values.data());
    uint64_t digest = 0xcbf29ce484222325U;
    for (const float value : values)
      digest = (digest ^ std::bit_cast<uint32_t>(value)) * 0x100000001b3U;
    EXPECT_EQ(std::bit_cast<uint32_t>(values[0]), recorded.samples[0]) << traits.name;
    EXPECT_EQ(std::bit_cast<uint32_t>(values[21]), recorded.samples[1]) << traits.name;
    EXPECT_EQ(std::bit_cast<uint32_t>(values.back()), recorded.samples[2]) << traits.name;
    EXPECT_EQ(digest, recorded.digest) << traits.name;
  }
}

TEST(RecordedBlocksTest, EveryQuantisedType_IsRecorded) {
  size_t quantised = 0;
  for (int i = 0; i < kNumDataTypes; ++i)
    quantised += static_cast<size_t>(IsQuantised(static_cast<DataType>(i)));
  EXPECT_EQ(std::size(kRecorded), quantised);
}

}  // namespace
}  // namespace headway
