#pragma once

// Where the numbers of a weight tile lie (docs/formats/tiles.md): for packing, for the reference
// kernels and for tests. The fast kernels know the same layout as vectors.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/tiles.h"
#include "tensor/blocks.h"
#include "tensor/data_type.h"
#include "tensor/half.h"

namespace headway::kernels {

inline constexpr int64_t kTileHeaderBytes = 64;
inline constexpr int64_t kTileVectorBytes = 64;

// Channels of a segment: the four strips of a tile take turns that often.
inline constexpr int64_t kSegmentChannels = 512;

// The layout of a quantised type; the numbers of one block of GGUF ("block", 32 or 256 channels).
struct TileFormat {
  int bits;                 // of a code
  int64_t sub_blocks;       // runs of 32 channels in a block: 1 or 8
  int64_t stripe_blocks;    // blocks that share a stripe: 1, 2 or 4
  int64_t scales_bytes;     // per block, between header and codes
  int64_t sub_block_bytes;  // codes of 32 channels

  constexpr int64_t BodyBytes() const { return scales_bytes + sub_blocks * sub_block_bytes; }
  constexpr int64_t BlockChannels() const { return 32 * sub_blocks; }
  // Of one row in one array of the header: an F16, or a byte where four blocks share it.
  constexpr int64_t EntryBytes() const { return stripe_blocks == 4 ? 1 : 2; }
  // Whether the header has a second array for each block.
  constexpr bool HasSecond() const { return stripe_blocks == 1; }

  // Bytes of a run of channels of one strip; the run starts at a stripe.
  constexpr int64_t RunBytes(int64_t channels) const {
    const int64_t blocks = channels / BlockChannels();
    const int64_t stripes = (blocks + stripe_blocks - 1) / stripe_blocks;
    return stripes * kTileHeaderBytes + blocks * BodyBytes();
  }
};

constexpr TileFormat FormatOf(DataType type) {
  switch (type) {
    case DataType::kQ8_0:
      return {8, 1, 2, 0, 512};
    case DataType::kQ4_0:
    case DataType::kIQ4_NL:
      return {4, 1, 2, 0, 256};
    case DataType::kMXFP4:
      return {4, 1, 4, 0, 256};
    case DataType::kQ4_1:
      return {4, 1, 1, 0, 256};
    case DataType::kQ5_0:
      return {5, 1, 2, 0, 320};
    case DataType::kQ5_1:
      return {5, 1, 1, 0, 320};
    case DataType::kQ4_K:
      return {4, 8, 1, 192, 256};
    case DataType::kQ5_K:
      return {5, 8, 1, 192, 320};
    case DataType::kQ6_K:
      return {6, 8, 2, 256, 384};
    case DataType::kQ2_K:
      return {2, 8, 1, 256, 128};
    case DataType::kQ3_K:
      return {3, 8, 2, 192, 192};
    case DataType::kIQ4_XS:
      return {4, 8, 1, 64, 256};
    case DataType::kF32:
    case DataType::kF16:
    case DataType::kBF16:
    case DataType::kI8:
    case DataType::kI16:
    case DataType::kI32:
    case DataType::kI64:
    case DataType::kF64:
      break;
  }
  return {0, 0, 1, 0, 0};
}

// Types whose values are scale * code + minimum with an unsigned code.
constexpr bool HasMinimum(DataType type) {
  return type == DataType::kQ4_1 || type == DataType::kQ5_1 || type == DataType::kQ4_K ||
         type == DataType::kQ5_K || type == DataType::kQ2_K;
}

// The values of the codes of a type that has a table of them, else nullptr.
constexpr const std::array<int8_t, 16>* TableOf(DataType type) {
  if (type == DataType::kIQ4_NL || type == DataType::kIQ4_XS) return &kIQ4Values;
  return type == DataType::kMXFP4 ? &kFP4Values : nullptr;
}

// Where segment `segment` of strip `strip` starts in a tile of num_channels channels.
constexpr int64_t SegmentOffset(const TileFormat& format, int64_t num_channels, int64_t strip,
                                int64_t segment) {
  const int64_t first = segment * kSegmentChannels;
  const int64_t channels =
      num_channels - first < kSegmentChannels ? num_channels - first : kSegmentChannels;
  return kTileStrips * format.RunBytes(first) + strip * format.RunBytes(channels);
}

// Byte offsets of one block of 16 rows inside a tile.
struct BlockPlace {
  int64_t first;   // F16[16]: d (MXFP4: u8[16], the exponent)
  int64_t second;  // F16[16]: m or dmin; IQ4_XS: u16[16], high bits of scales
  int64_t scales;
  int64_t codes;
};

constexpr BlockPlace PlaceOf(const TileFormat& format, int64_t num_channels, int64_t strip,
                             int64_t block) {
  const int64_t blocks_per_segment = kSegmentChannels / format.BlockChannels();
  const int64_t segment = SegmentOffset(format, num_channels, strip, block / blocks_per_segment);
  const int64_t b = block % blocks_per_segment;
  const int64_t body = format.BodyBytes();
  const int64_t in_stripe = b % format.stripe_blocks;
  const int64_t stripe =
      segment + b / format.stripe_blocks * (kTileHeaderBytes + format.stripe_blocks * body);
  const int64_t scales = stripe + kTileHeaderBytes + in_stripe * body;
  return {stripe + in_stripe * kStripRows * format.EntryBytes(), stripe + 32, scales,
          scales + format.scales_bytes};
}

// The code of channel c (0..31) of row r (0..15) of a strip; `codes` points to the codes of a block
// of 32.
template <int kBits>
int TileCode(const std::byte* codes, int64_t r, int64_t c) {
  const int64_t lane = 4 * r + c % 4;
  const auto byte = [&](int64_t offset) { return static_cast<int>(codes[offset]); };
  if constexpr (kBits == 8) return byte(64 * (c / 4) + lane);
  if constexpr (kBits == 6) {
    const int64_t half = 192 * (c / 16) + lane;
    const int64_t g = c % 16 / 4;
    if (g < 3) return byte(half + 64 * g) & 63;
    return byte(half) >> 6 | byte(half + 64) >> 6 << 2 | byte(half + 128) >> 6 << 4;
  }
  if constexpr (kBits == 3) {
    const int64_t g = c / 4;
    if (g < 6) return byte(64 * (g / 2) + lane) >> (3 * (g % 2)) & 7;
    return byte(64 * (g - 6) + lane) >> 6 | (byte(128 + lane) >> g & 1) << 2;
  }
  if constexpr (kBits == 2) return byte(64 * (c / 16) + lane) >> (2 * (c / 4 % 4)) & 3;
  const int64_t nibbles = kBits == 5 ? 64 : 0;
  const int low = byte(nibbles + 64 * (c % 16 / 4) + lane) >> (4 * (c / 16)) & 15;
  if constexpr (kBits == 5) return low | (byte(8 * (c / 4) + lane / 8) >> lane % 8 & 1) << 4;
  return low;
}

// Sets that code; the codes of the tile must have been zero.
template <int kBits>
void SetTileCode(std::byte* codes, int64_t r, int64_t c, int code) {
  const int64_t lane = 4 * r + c % 4;
  const auto put = [&](int64_t offset, int bits) { codes[offset] |= static_cast<std::byte>(bits); };
  if constexpr (kBits == 8) {
    put(64 * (c / 4) + lane, code);
  } else if constexpr (kBits == 6) {
    const int64_t half = 192 * (c / 16) + lane;
    const int64_t g = c % 16 / 4;
    if (g < 3) {
      put(half + 64 * g, code);
    } else {
      for (int64_t j = 0; j < 3; ++j) put(half + 64 * j, (code >> 2 * j & 3) << 6);
    }
  } else if constexpr (kBits == 3) {
    const int64_t g = c / 4;
    if (g < 6) {
      put(64 * (g / 2) + lane, code << (3 * (g % 2)));
    } else {
      put(64 * (g - 6) + lane, (code & 3) << 6);
      put(128 + lane, (code >> 2) << g);
    }
  } else if constexpr (kBits == 2) {
    put(64 * (c / 16) + lane, code << (2 * (c / 4 % 4)));
  } else {
    put((kBits == 5 ? 64 : 0) + 64 * (c % 16 / 4) + lane, (code & 15) << 4 * (c / 16));
    if constexpr (kBits == 5) put(8 * (c / 4) + lane / 8, (code >> 4) << lane % 8);
  }
}

// Where byte i of the scale bytes of row r lies: four bytes of a row side by side for the types
// whose words are taken apart, the sixteen rows of a byte side by side for Q6_K.
constexpr int64_t ScaleOffset(const TileFormat& format, int64_t r, int64_t i) {
  return format.bits == 6 ? kStripRows * i + r : i / 4 * kTileVectorBytes + 4 * r + i % 4;
}

// Entry r of an array of F16.
inline F16 TileHalf(const std::byte* halves, int64_t r) {
  F16 half;
  std::memcpy(&half, halves + 2 * r, sizeof half);
  return half;
}

// What the codes of row r of a block are multiplied with first; `first` as in BlockPlace.
template <DataType kType>
float TileScale(const std::byte* first, int64_t r) {
  if constexpr (kType == DataType::kMXFP4) return MxScale(static_cast<uint8_t>(first[r]));
  return ToFloat(TileHalf(first, r));
}

}  // namespace headway::kernels
