#pragma once

// Where the numbers of a weight tile lie (docs/formats/tiles.md): for packing, for the reference
// kernels and for tests. The fast kernels know the same layout as vectors.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/tiles.h"
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
  bool paired;              // two blocks share a stripe
  int64_t scales_bytes;     // per block, between header and codes
  int64_t sub_block_bytes;  // codes of 32 channels

  constexpr int64_t BodyBytes() const { return scales_bytes + sub_blocks * sub_block_bytes; }
  constexpr int64_t BlockChannels() const { return 32 * sub_blocks; }

  // Bytes of a run of channels of one strip; the run starts at a stripe.
  constexpr int64_t RunBytes(int64_t channels) const {
    const int64_t blocks = channels / BlockChannels();
    const int64_t stripes = paired ? (blocks + 1) / 2 : blocks;
    return stripes * kTileHeaderBytes + blocks * BodyBytes();
  }
};

constexpr TileFormat FormatOf(DataType type) {
  switch (type) {
    case DataType::kQ8_0:
      return {8, 1, true, 0, 512};
    case DataType::kQ4_0:
      return {4, 1, true, 0, 256};
    case DataType::kQ4_1:
      return {4, 1, false, 0, 256};
    case DataType::kQ5_0:
      return {5, 1, true, 0, 320};
    case DataType::kQ5_1:
      return {5, 1, false, 0, 320};
    case DataType::kQ4_K:
      return {4, 8, false, 192, 256};
    case DataType::kQ5_K:
      return {5, 8, false, 192, 320};
    case DataType::kQ6_K:
      return {6, 8, true, 256, 384};
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
  return {0, 0, false, 0, 0};
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
  int64_t first_half;   // F16[16]: d
  int64_t second_half;  // F16[16]: m or dmin, of the types that have one
  int64_t scales;
  int64_t codes;
};

constexpr BlockPlace PlaceOf(const TileFormat& format, int64_t num_channels, int64_t strip,
                             int64_t block) {
  const int64_t blocks_per_segment = kSegmentChannels / format.BlockChannels();
  const int64_t segment = SegmentOffset(format, num_channels, strip, block / blocks_per_segment);
  const int64_t b = block % blocks_per_segment;
  const int64_t body = format.BodyBytes();
  const int64_t in_stripe = format.paired ? b % 2 : 0;
  const int64_t stripe = segment + (format.paired ? b / 2 * (kTileHeaderBytes + 2 * body)
                                                  : b * (kTileHeaderBytes + body));
  const int64_t scales = stripe + kTileHeaderBytes + in_stripe * body;
  return {stripe + in_stripe * 32, stripe + 32, scales, scales + format.scales_bytes};
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
  } else {
    put((kBits == 5 ? 64 : 0) + 64 * (c % 16 / 4) + lane, (code & 15) << 4 * (c / 16));
    if constexpr (kBits == 5) put(8 * (c / 4) + lane / 8, (code >> 4) << lane % 8);
  }
}

// Where byte i of the scale bytes of row r lies: four bytes of a row side by side for the types
// whose words are taken apart (Q4_K, Q5_K), the sixteen rows of a byte side by side for Q6_K.
constexpr int64_t ScaleOffset(const TileFormat& format, int64_t r, int64_t i) {
  return format.bits == 6 ? kStripRows * i + r : i / 4 * kTileVectorBytes + 4 * r + i % 4;
}

// Entry r of an array of F16.
inline F16 TileHalf(const std::byte* halves, int64_t r) {
  F16 half;
  std::memcpy(&half, halves + 2 * r, sizeof half);
  return half;
}

}  // namespace headway::kernels
