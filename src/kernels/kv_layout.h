#pragma once

// How a cache holds the keys and values of one kv head: pages of 128 positions (PagedAttention,
// Kwon et al. 2023), so that conversations can share the pages of a common beginning and give memory
// back. In a page tiles of 32 positions: the keys of all four, then the values. d: head_dim.
//
//   kF16   keys    [d channels][32 positions] F16, so that 16 scores come from one vector and a
//                  channel's keys from one cache line
//          values  [32 positions][d channels] F16
//   kQ8_0  keys    d / 32 blocks of: codes + 128 in groups of four channels, [2 halves][8 groups]
//                  [16 positions][4 channels] bytes; scales [32 positions] F16
//          values  scales [d / 32 blocks][32 positions] F16; codes [16 pairs of positions]
//                  [d channels][2 positions] bytes, so that pairs are multiplied and added at once
//
// Both are one stream a page: each cache line is read once, in order.

#include <bit>
#include <cstddef>
#include <cstdint>

#include "headway/kv_type.h"
#include "tensor/half.h"

namespace headway::kernels {

inline constexpr int64_t kKeyTile = 32;
inline constexpr int64_t kKvBlock = 32;  // channels that share a scale
// Positions whose values are added up in integers (docs/arithmetic.md): a multiple of the tile.
// 128 codes of 127 times weights below 2^15 stay below 2^30.
inline constexpr int64_t kValueGroup = 128;

// Positions of a page: values of a group lie together.
inline constexpr int64_t kKvPage = kValueGroup;

// Of a tile's keys, and of its values. head_dim % 32 == 0 for kQ8_0.
constexpr int64_t KvTileBytes(KvType type, int64_t head_dim) {
  constexpr int64_t kF16Bytes = 2;
  constexpr int64_t kBlockBytes = kKvBlock + 2;
  return kKeyTile *
         (type == KvType::kF16 ? kF16Bytes * head_dim : head_dim / kKvBlock * kBlockBytes);
}

// Of the keys and the values of a page.
constexpr int64_t KvPageBytes(KvType type, int64_t head_dim) {
  return 2 * (kKvPage / kKeyTile) * KvTileBytes(type, head_dim);
}
constexpr int64_t NumKvPages(int64_t positions) { return (positions + kKvPage - 1) / kKvPage; }

// The keys and values of one kv head, for the positions of a conversation.
struct KvHead {
  std::byte* const* pages = nullptr;  // [NumKvPages(positions)], each 64-byte aligned
  int64_t offset = 0;                 // of this head in every page, a multiple of 64 bytes
  int64_t tile_bytes = 0;             // KvTileBytes()

  // Tile number `tile` holds the positions from tile * kKeyTile on.
  std::byte* KeyTile(int64_t tile) const {
    constexpr int64_t kTiles = kKvPage / kKeyTile;
    return pages[tile / kTiles] + offset + tile % kTiles * tile_bytes;
  }
  std::byte* ValueTile(int64_t tile) const {
    return KeyTile(tile) + kKvPage / kKeyTile * tile_bytes;
  }
};

// ---- kQ8_0, inside a tile -----------------------------------------------------------------------

inline constexpr int64_t kKeyHalfBytes = 16 * kKvBlock;  // 16 positions of a block
inline constexpr int64_t kKeyBlockBytes = 2 * kKeyHalfBytes + 2 * kKeyTile;

// The codes of four channels of a position (0 to 31): group g of block b.
constexpr int64_t KeyCodesAt(int64_t b, int64_t g, int64_t position) {
  return b * kKeyBlockBytes + position / 16 * kKeyHalfBytes + g * 64 + position % 16 * 4;
}
constexpr int64_t KeyScaleAt(int64_t b, int64_t position) {
  return b * kKeyBlockBytes + 2 * kKeyHalfBytes + 2 * position;
}
constexpr int64_t ValueScaleAt(int64_t b, int64_t position) {
  return b * 2 * kKeyTile + 2 * position;
}
constexpr int64_t ValueCodeAt(int64_t head_dim, int64_t position, int64_t channel) {
  return head_dim / kKvBlock * 2 * kKeyTile + position / 2 * 2 * head_dim + 2 * channel +
         position % 2;
}

// What weights of a group are multiples of, from the largest: the power of two that makes it one of
// 15 bits, rounded down. NaN shows; a group of weights below 2^-100 adds nothing.
struct ValueStep {
  float step;
  float inverse;
};
constexpr ValueStep ValueStepOf(uint32_t largest_bits) {
  constexpr uint32_t kExponent = 0x7f800000;
  constexpr uint32_t kSmallest = (127U - 100U) << 23;
  if (largest_bits >= kExponent) return {std::bit_cast<float>(0x7fc00000U), 0.0F};
  if (largest_bits < kSmallest) return {0.0F, 0.0F};
  const uint32_t step = (largest_bits & kExponent) - (14U << 23);
  return {std::bit_cast<float>(step), std::bit_cast<float>((254U << 23) - step)};
}

// Stores a block of one position's key or value: 32 codes from -127 to 127 and their scale.
void StoreKeyBlock(const int8_t* codes, float scale, int64_t b, int64_t position, std::byte* tile);
void StoreValueBlock(const int8_t* codes, float scale, int64_t head_dim, int64_t b,
                     int64_t position, std::byte* tile);

// Makes the values of a position (0 to 31) of a tile NaN, so that whatever sees it shows that its key
// or value was no number.
void SpoilValues(KvType type, int64_t head_dim, int64_t position, std::byte* tile);

}  // namespace headway::kernels
