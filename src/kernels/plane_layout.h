#pragma once

// Where the numbers of the certified head's planes lie (docs/formats/planes.md): rotation blocks,
// tiles of signs, records of two more bits a weight. For packing, for the reference kernels and for
// tests; the fast kernels know the same layout as vectors.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/tiles.h"
#include "tensor/half.h"

namespace headway::kernels {

// Rotation blocks: runs of channels with a rotation, a scale and an integer sum each. 384 is a
// multiple of both units below, so that the usual widths need no padding.
inline constexpr int64_t kRotationBlock = 384;
inline constexpr int64_t kSmallestRotationBlock = 192;
// D is at most that: kernels keep a block's constants on the stack.
inline constexpr int64_t kMaxRotationBlocks = 64;

constexpr int64_t NumRotationBlocks(int64_t num_channels) {
  const int64_t rest = num_channels % kRotationBlock;
  const int64_t blocks = num_channels / kRotationBlock;
  return blocks + (blocks == 0 || rest >= kSmallestRotationBlock ? 1 : 0);
}

struct RotationBlock {
  int64_t begin = 0;  // first channel
  int64_t size = 0;   // n_b; 192 to 575, or all channels when they are fewer
};

// Blocks of 384 channels; a rest below 192 belongs to the last of them.
constexpr RotationBlock RotationBlockOf(int64_t num_channels, int64_t b) {
  const int64_t begin = b * kRotationBlock;
  const bool last = b + 1 == NumRotationBlocks(num_channels);
  return {begin, last ? num_channels - begin : kRotationBlock};
}

constexpr int64_t RoundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// ---- signs: tiles of 64 rows, read for every row ----

// Channels whose signs make one index into a table of 64 sums. Blocks are padded to units of four
// groups.
inline constexpr int64_t kSignGroup = 6;
inline constexpr int64_t kSignTableEntries = 64;
inline constexpr int64_t kSignUnit = 24;  // channels of three vectors of 64 rows

constexpr int64_t SignGroups(int64_t block_size) {
  return RoundUp(block_size, kSignUnit) / kSignGroup;
}
// Groups of the blocks before `block`; with block = NumRotationBlocks(): of all.
constexpr int64_t SignGroupsBefore(int64_t num_channels, int64_t block) {
  int64_t groups = 0;
  for (int64_t b = 0; b < block; ++b) groups += SignGroups(RotationBlockOf(num_channels, b).size);
  return groups;
}

// tile := scale F16[blocks][64], gamma F16[64], unit[...] ; unit := byte[3][64]
constexpr int64_t SignTermsBytes(int64_t num_channels) {
  return (NumRotationBlocks(num_channels) + 1) * kTileRows * 2;
}
constexpr int64_t SignTileBytes(int64_t num_channels) {
  const int64_t groups = SignGroupsBefore(num_channels, NumRotationBlocks(num_channels));
  return SignTermsBytes(num_channels) + groups / 4 * 3 * kTileRows;
}

// The six signs of group `group` (counted over all blocks) of row `row`: bit k is 1 where channel k
// of the group is positive.
inline uint32_t SignIndex(const std::byte* tile, int64_t num_channels, int64_t group, int64_t row) {
  const std::byte* unit = tile + SignTermsBytes(num_channels) + group / 4 * 3 * kTileRows + row;
  const auto byte = [&](int64_t k) { return static_cast<uint32_t>(unit[k * kTileRows]); };
  const int64_t k = group % 4;
  if (k < 3) return byte(k) & 63U;
  return byte(0) >> 6 | byte(1) >> 6 << 2 | byte(2) >> 6 << 4;
}

// Sets that index; the tile must have been zero.
inline void SetSignIndex(std::byte* tile, int64_t num_channels, int64_t group, int64_t row,
                         uint32_t index) {
  std::byte* unit = tile + SignTermsBytes(num_channels) + group / 4 * 3 * kTileRows + row;
  const int64_t k = group % 4;
  if (k < 3) {
    unit[k * kTileRows] |= static_cast<std::byte>(index);
    return;
  }
  for (int64_t i = 0; i < 3; ++i) {
    unit[i * kTileRows] |= static_cast<std::byte>((index >> (2 * i) & 3U) << 6);
  }
}

// ---- refinement: one record a row, read for the rows that are left ----

// record := code[...] of each block, padded to units; scale F16[blocks]; gamma F16; zero bytes.
// A unit is 128 channels in 32 bytes: bits 2f, 2f + 1 of byte k are the code of channel 32f + k.
// Padded channels have code 0; their activations are zero.
inline constexpr int64_t kRefineUnit = 128;
inline constexpr int64_t kRefineUnitBytes = 32;
inline constexpr int64_t kRefineRecordUnit = 16;

constexpr int64_t RefineChannels(int64_t block_size) { return RoundUp(block_size, kRefineUnit); }
// Channels of the blocks before `block`, padded.
constexpr int64_t RefineChannelsBefore(int64_t num_channels, int64_t block) {
  int64_t channels = 0;
  for (int64_t b = 0; b < block; ++b) {
    channels += RefineChannels(RotationBlockOf(num_channels, b).size);
  }
  return channels;
}
constexpr int64_t RefineCodesBytes(int64_t num_channels) {
  return RefineChannelsBefore(num_channels, NumRotationBlocks(num_channels)) / 4;
}
constexpr int64_t RefineRecordBytes(int64_t num_channels) {
  return RoundUp(RefineCodesBytes(num_channels) + (NumRotationBlocks(num_channels) + 1) * 2,
                 kRefineRecordUnit);
}

// Code 0..3 of channel c of a block, `codes` at the block's first unit.
inline uint32_t RefineCode(const std::byte* codes, int64_t c) {
  const std::byte* unit = codes + c / kRefineUnit * kRefineUnitBytes;
  const int64_t in_unit = c % kRefineUnit;
  return static_cast<uint32_t>(unit[in_unit % 32]) >> (2 * (in_unit / 32)) & 3U;
}

inline void SetRefineCode(std::byte* codes, int64_t c, uint32_t code) {
  std::byte* unit = codes + c / kRefineUnit * kRefineUnitBytes;
  const int64_t in_unit = c % kRefineUnit;
  unit[in_unit % 32] |= static_cast<std::byte>(code << (2 * (in_unit / 32)));
}

}  // namespace headway::kernels
