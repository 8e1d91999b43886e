#pragma once

// Where the numbers of the certified head's planes lie (docs/formats/planes.md): rotation blocks,
// tiles of signs, records of a second bit a weight, rows of a third. For packing, for the reference
// kernels and for tests; the fast kernels know the same layout as vectors.

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
inline constexpr int64_t kMaxRotationBlocks = 32;

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

// Directions that rows may have in common: their shares are stored exactly, the rest is coded.
inline constexpr int64_t kMaxDirections = 16;

// What the planes of one head have in common.
struct PlaneShape {
  int64_t channels = 0;    // D
  int64_t directions = 0;  // k, at most kMaxDirections
};

// The terms of a row, in this order: a scale of every block, gamma, slack, a coefficient of every
// direction (plane_kernels.h). Place of the terms that follow the scales:
constexpr int64_t GammaTerm(const PlaneShape& shape) { return NumRotationBlocks(shape.channels); }
constexpr int64_t SlackTerm(const PlaneShape& shape) { return GammaTerm(shape) + 1; }
constexpr int64_t CoefficientTerm(const PlaneShape& shape, int64_t direction) {
  return SlackTerm(shape) + 1 + direction;
}
constexpr int64_t NumTerms(const PlaneShape& shape) {
  return CoefficientTerm(shape, shape.directions);
}

// Of one plane of the widest rows.
inline constexpr int64_t kMaxRefineVectors = kMaxRotationBlocks * 3 / 4 + 1;
// A list of rows is read so far ahead.
inline constexpr int64_t kRefineAhead = 8;

// ---- signs: tiles of 1024 rows, read for every row ----

inline constexpr int64_t kSignTileRows = 1024;
inline constexpr int64_t kSignBandRows = 256;  // share the loads of tables
inline constexpr int64_t kSignStripRows = 64;  // rows of one vector of bytes
inline constexpr int64_t kSignBands = kSignTileRows / kSignBandRows;
inline constexpr int64_t kSignStrips = kSignBandRows / kSignStripRows;
inline constexpr int64_t kSignTermRows = 16;  // rows whose terms lie together

// Channels whose signs make one index into a table of 64 sums. Blocks are padded to units of four
// groups.
inline constexpr int64_t kSignGroup = 6;
inline constexpr int64_t kSignTableEntries = 64;
inline constexpr int64_t kSignUnit = 24;  // channels of three vectors of 64 rows
inline constexpr int64_t kSignUnitGroups = kSignUnit / kSignGroup;
inline constexpr int64_t kSignStripBytes = 3 * kSignStripRows;            // one unit of one strip
inline constexpr int64_t kSignUnitBytes = kSignStrips * kSignStripBytes;  // of a band

constexpr int64_t NumSignTiles(int64_t num_rows) {
  return (num_rows + kSignTileRows - 1) / kSignTileRows;
}
constexpr int64_t NumSignStrips(int64_t num_rows) {
  return (num_rows + kSignStripRows - 1) / kSignStripRows;
}
constexpr int64_t SignGroups(int64_t block_size) {
  return RoundUp(block_size, kSignUnit) / kSignGroup;
}
// Groups of the blocks before `block`; with block = NumRotationBlocks(): of all.
constexpr int64_t SignGroupsBefore(int64_t num_channels, int64_t block) {
  int64_t groups = 0;
  for (int64_t b = 0; b < block; ++b) groups += SignGroups(RotationBlockOf(num_channels, b).size);
  return groups;
}

// tile := block[...], terms[64] ; block := band[4] ; band := unit[...] ; unit := byte[4
// strips][3][64] ; terms := F16[terms][16]
constexpr int64_t SignTermsOffset(int64_t num_channels) {
  return SignGroupsBefore(num_channels, NumRotationBlocks(num_channels)) / kSignUnitGroups *
         kSignBands * kSignUnitBytes;
}
constexpr int64_t SignTermsBytes(const PlaneShape& shape) {
  return NumTerms(shape) * kSignTileRows * 2;
}
constexpr int64_t SignTileBytes(const PlaneShape& shape) {
  return SignTermsOffset(shape.channels) + SignTermsBytes(shape);
}

// First byte of a row (0 .. 1023) in a unit of four groups; `group` counts inside the block.
constexpr int64_t SignByteOffset(int64_t num_channels, int64_t block, int64_t group, int64_t row) {
  const int64_t units = SignGroups(RotationBlockOf(num_channels, block).size) / kSignUnitGroups;
  const int64_t before = SignGroupsBefore(num_channels, block) / kSignUnitGroups;
  const int64_t unit = before * kSignBands + row / kSignBandRows * units + group / kSignUnitGroups;
  return unit * kSignUnitBytes + row % kSignBandRows / kSignStripRows * kSignStripBytes +
         row % kSignStripRows;
}

// The six signs of a group of a block, row `row` of a tile: bit k is 1 where channel k of the group
// is positive.
inline uint32_t SignIndex(const std::byte* tile, int64_t num_channels, int64_t block, int64_t group,
                          int64_t row) {
  const std::byte* unit = tile + SignByteOffset(num_channels, block, group, row);
  const auto byte = [&](int64_t k) { return static_cast<uint32_t>(unit[k * kSignStripRows]); };
  const int64_t k = group % kSignUnitGroups;
  if (k < 3) return byte(k) & 63U;
  return byte(0) >> 6 | byte(1) >> 6 << 2 | byte(2) >> 6 << 4;
}

// Sets that index; the tile must have been zero.
inline void SetSignIndex(std::byte* tile, int64_t num_channels, int64_t block, int64_t group,
                         int64_t row, uint32_t index) {
  std::byte* unit = tile + SignByteOffset(num_channels, block, group, row);
  const int64_t k = group % kSignUnitGroups;
  if (k < 3) {
    unit[k * kSignStripRows] |= static_cast<std::byte>(index);
    return;
  }
  for (int64_t i = 0; i < 3; ++i) {
    unit[i * kSignStripRows] |= static_cast<std::byte>((index >> (2 * i) & 3U) << 6);
  }
}

// Byte offset of a term of row `row` of a tile.
constexpr int64_t SignTermOffset(const PlaneShape& shape, int64_t term, int64_t row) {
  return SignTermsOffset(shape.channels) +
         2 * ((row / kSignTermRows * NumTerms(shape) + term) * kSignTermRows + row % kSignTermRows);
}

// ---- refinement: a second bit a weight and, apart, a third; read for the rows that are left ----

// record := bit[...] of each block, padded to units; terms F16[...]; the gamma of three bits; zeros
// to 64 bytes. third := bit[...], padded to units. A unit is 128 channels in 16 bytes: bit f of
// byte k is that of channel 16f + k. Padded channels have bit 0; their activations are zero.
inline constexpr int64_t kRefineUnit = 128;
inline constexpr int64_t kRefineUnitBytes = 16;
inline constexpr int64_t kRefineVectorUnits = 4;
inline constexpr int64_t kRefineRecordUnit = 64;
// Kernels read whole vectors: so many bytes behind either section must be readable.
inline constexpr int64_t kRefineSlack = 64;

constexpr int64_t RefineUnits(int64_t block_size) {
  return (block_size + kRefineUnit - 1) / kRefineUnit;
}
// Units of the blocks before `block`.
constexpr int64_t RefineUnitsBefore(int64_t num_channels, int64_t block) {
  int64_t units = 0;
  for (int64_t b = 0; b < block; ++b) units += RefineUnits(RotationBlockOf(num_channels, b).size);
  return units;
}
constexpr int64_t NumRefineUnits(int64_t num_channels) {
  return RefineUnitsBefore(num_channels, NumRotationBlocks(num_channels));
}
constexpr int64_t RefineVectors(int64_t num_channels) {
  return (NumRefineUnits(num_channels) + kRefineVectorUnits - 1) / kRefineVectorUnits;
}
// Of one plane of a row: what stands before the terms of its record, and all of its third bits.
constexpr int64_t RefineBitsBytes(int64_t num_channels) {
  return NumRefineUnits(num_channels) * kRefineUnitBytes;
}
// A record's terms are those of the sign plane, with the gamma of two bits, and this one.
constexpr int64_t ThreeBitsGammaTerm(const PlaneShape& shape) { return NumTerms(shape); }
constexpr int64_t RefineRecordBytes(const PlaneShape& shape) {
  return RoundUp(RefineBitsBytes(shape.channels) + 2 * (NumTerms(shape) + 1), kRefineRecordUnit);
}

// Where the bit of channel c of a block lies in a plane of a row; `first_unit` of the block.
struct RefinePlace {
  int64_t byte;
  uint32_t shift;
};
constexpr RefinePlace RefinePlaceOf(int64_t first_unit, int64_t c) {
  const int64_t in_unit = c % kRefineUnit;
  return {(first_unit + c / kRefineUnit) * kRefineUnitBytes + in_unit % 16,
          static_cast<uint32_t>(in_unit / 16)};
}

inline uint32_t RefineBit(const std::byte* bits, int64_t first_unit, int64_t c) {
  const RefinePlace place = RefinePlaceOf(first_unit, c);
  return static_cast<uint32_t>(bits[place.byte]) >> place.shift & 1U;
}

// Sets that bit; the plane must have been zero.
inline void SetRefineBit(std::byte* bits, int64_t first_unit, int64_t c, uint32_t bit) {
  const RefinePlace place = RefinePlaceOf(first_unit, c);
  bits[place.byte] |= static_cast<std::byte>(bit << place.shift);
}

// The 8-bit activations are in the order in which vectors of bits meet them: int8
// [vectors][8][64], the channels of shift f of a vector in line f.
constexpr int64_t RefineActivationBytes(int64_t num_channels) {
  return RefineVectors(num_channels) * 512;
}
constexpr int64_t RefineActivationIndex(int64_t first_unit, int64_t c) {
  const RefinePlace place = RefinePlaceOf(first_unit, c);
  return place.byte / 64 * 512 + int64_t{place.shift} * 64 + place.byte % 64;
}

}  // namespace headway::kernels
