#include "kernels/tiles.h"

#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "kernels/tile_layout.h"
#include "tensor/blocks.h"
#include "tensor/codec.h"

namespace headway::kernels {
namespace {

static_assert(std::endian::native == std::endian::little, "tiles are little-endian words");

// Everything of a GGUF block in one shape: unsigned codes, the halves of the header, the scale
// bytes.
struct BlockFields {
  std::array<F16, 2> halves{};
  std::array<uint8_t, 16> scales{};
  std::array<uint8_t, 256> codes{};
};

// Simple blocks: code i < 16 is the low nibble of byte i, code i + 16 its high nibble; bit i of
// `high` the fifth bit.
void ReadNibbles32(const uint8_t q[16], uint32_t high, BlockFields* fields) {
  for (uint32_t i = 0; i < 32; ++i) {
    const int nibble = q[i % 16] >> (i / 16 * 4) & 15;
    fields->codes[i] = static_cast<uint8_t>(nibble | static_cast<int>(high >> i & 1U) << 4);
  }
}

uint32_t WriteNibbles32(const BlockFields& fields, uint8_t q[16]) {
  uint32_t high = 0;
  for (uint32_t i = 0; i < 16; ++i) {
    q[i] = static_cast<uint8_t>((fields.codes[i] & 15) | (fields.codes[i + 16] & 15) << 4);
  }
  for (uint32_t i = 0; i < 32; ++i) high |= static_cast<uint32_t>(fields.codes[i] >> 4) << i;
  return high;
}

// K blocks: codes [64p, 64p + 32) are the low halves of q[32p ..), the next 32 the high halves.
void ReadNibbles256(const uint8_t q[128], const uint8_t* high, BlockFields* fields) {
  for (size_t i = 0; i < 256; ++i) {
    const int nibble = q[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
    const int fifth = high == nullptr ? 0 : high[i % 32] >> (i / 32) & 1;
    fields->codes[i] = static_cast<uint8_t>(nibble | fifth << 4);
  }
}

void WriteNibbles256(const BlockFields& fields, uint8_t q[128], uint8_t* high) {
  for (size_t i = 0; i < 256; ++i) {
    uint8_t& byte = q[i / 64 * 32 + i % 32];
    byte = static_cast<uint8_t>(byte | (fields.codes[i] & 15) << (i / 32 % 2 * 4));
    if (high != nullptr) {
      high[i % 32] = static_cast<uint8_t>(high[i % 32] | (fields.codes[i] >> 4) << (i / 32));
    }
  }
}

void ReadBlock(const BlockQ8_0& block, BlockFields* fields) {
  fields->halves[0] = block.d;
  for (size_t i = 0; i < 32; ++i) fields->codes[i] = static_cast<uint8_t>(block.q[i] + 128);
}

void WriteBlock(const BlockFields& fields, BlockQ8_0* block) {
  block->d = fields.halves[0];
  for (size_t i = 0; i < 32; ++i) block->q[i] = static_cast<int8_t>(fields.codes[i] - 128);
}

// The simple types with nibbles; optional members m and high. MXFP4 has an exponent for d.
template <class Block>
requires(sizeof(Block) <= sizeof(BlockQ5_1)) void ReadBlock(const Block& block,
                                                            BlockFields* fields) {
  uint32_t high = 0;
  if constexpr (requires { block.e; }) {
    fields->halves[0].bits = block.e;
  } else {
    fields->halves[0] = block.d;
  }
  if constexpr (requires { block.m; }) fields->halves[1] = block.m;
  if constexpr (requires { block.high; }) std::memcpy(&high, block.high, sizeof high);
  ReadNibbles32(block.q, high, fields);
}

template <class Block>
requires(sizeof(Block) <= sizeof(BlockQ5_1)) void WriteBlock(const BlockFields& fields,
                                                             Block* block) {
  if constexpr (requires { block->e; }) {
    block->e = static_cast<uint8_t>(fields.halves[0].bits);
  } else {
    block->d = fields.halves[0];
  }
  if constexpr (requires { block->m; }) block->m = fields.halves[1];
  const uint32_t high = WriteNibbles32(fields, block->q);
  if constexpr (requires { block->high; }) std::memcpy(block->high, &high, sizeof high);
}

// Q4_K and Q5_K.
template <class Block>
requires std::is_same_v<Block, BlockQ4_K> || std::is_same_v<Block, BlockQ5_K>
void ReadBlock(const Block& block, BlockFields* fields) {
  fields->halves = {block.d, block.dmin};
  std::memcpy(fields->scales.data(), block.scales, sizeof block.scales);
  const uint8_t* high = nullptr;
  if constexpr (requires { block.high; }) high = block.high;
  ReadNibbles256(block.q, high, fields);
}

template <class Block>
requires std::is_same_v<Block, BlockQ4_K> || std::is_same_v<Block, BlockQ5_K>
void WriteBlock(const BlockFields& fields, Block* block) {
  *block = {};
  block->d = fields.halves[0];
  block->dmin = fields.halves[1];
  std::memcpy(block->scales, fields.scales.data(), sizeof block->scales);
  uint8_t* high = nullptr;
  if constexpr (requires { block->high; }) high = block->high;
  WriteNibbles256(fields, block->q, high);
}

// Code i of a Q6_K block: half h, quarter k, position j (tensor/blocks.h).
struct SixBitPlace {
  size_t low;
  size_t high;
  size_t low_shift;
  size_t high_shift;
};

constexpr SixBitPlace SixBits(size_t i) {
  const size_t h = i / 128;
  const size_t k = i % 128 / 32;
  const size_t j = i % 32;
  return {64 * h + 32 * (k % 2) + j, 32 * h + j, 4 * (k / 2), 2 * k};
}

void ReadBlock(const BlockQ6_K& block, BlockFields* fields) {
  fields->halves[0] = block.d;
  std::memcpy(fields->scales.data(), block.scale, sizeof block.scale);
  for (size_t i = 0; i < 256; ++i) {
    const SixBitPlace place = SixBits(i);
    fields->codes[i] = static_cast<uint8_t>((block.low[place.low] >> place.low_shift & 15) |
                                            (block.high[place.high] >> place.high_shift & 3) << 4);
  }
}

void WriteBlock(const BlockFields& fields, BlockQ6_K* block) {
  *block = {};
  block->d = fields.halves[0];
  std::memcpy(block->scale, fields.scales.data(), sizeof block->scale);
  for (size_t i = 0; i < 256; ++i) {
    const SixBitPlace place = SixBits(i);
    const int code = fields.codes[i];
    uint8_t& low = block->low[place.low];
    uint8_t& high = block->high[place.high];
    low = static_cast<uint8_t>(low | (code & 15) << place.low_shift);
    high = static_cast<uint8_t>(high | (code >> 4) << place.high_shift);
  }
}

// Code i of Q2_K, and the low two bits of Q3_K's: bits 2k, 2k + 1 of q[32h + j] (tensor/blocks.h).
constexpr size_t TwoBitsByte(size_t i) { return i / 128 * 32 + i % 32; }
constexpr size_t TwoBitsShift(size_t i) { return i % 128 / 32 * 2; }

void ReadBlock(const BlockQ2_K& block, BlockFields* fields) {
  fields->halves = {block.d, block.dmin};
  std::memcpy(fields->scales.data(), block.scales, sizeof block.scales);
  for (size_t i = 0; i < 256; ++i) {
    fields->codes[i] = static_cast<uint8_t>(block.q[TwoBitsByte(i)] >> TwoBitsShift(i) & 3);
  }
}

void WriteBlock(const BlockFields& fields, BlockQ2_K* block) {
  *block = {};
  block->d = fields.halves[0];
  block->dmin = fields.halves[1];
  std::memcpy(block->scales, fields.scales.data(), sizeof block->scales);
  for (size_t i = 0; i < 256; ++i) {
    uint8_t& byte = block->q[TwoBitsByte(i)];
    byte = static_cast<uint8_t>(byte | fields.codes[i] << TwoBitsShift(i));
  }
}

void ReadBlock(const BlockQ3_K& block, BlockFields* fields) {
  fields->halves[0] = block.d;
  std::memcpy(fields->scales.data(), block.scales, sizeof block.scales);
  for (size_t i = 0; i < 256; ++i) {
    const int two = block.q[TwoBitsByte(i)] >> TwoBitsShift(i) & 3;
    fields->codes[i] = static_cast<uint8_t>(two | (block.high[i % 32] >> (i / 32) & 1) << 2);
  }
}

void WriteBlock(const BlockFields& fields, BlockQ3_K* block) {
  *block = {};
  block->d = fields.halves[0];
  std::memcpy(block->scales, fields.scales.data(), sizeof block->scales);
  for (size_t i = 0; i < 256; ++i) {
    uint8_t& byte = block->q[TwoBitsByte(i)];
    byte = static_cast<uint8_t>(byte | (fields.codes[i] & 3) << TwoBitsShift(i));
    uint8_t& high = block->high[i % 32];
    high = static_cast<uint8_t>(high | (fields.codes[i] >> 2) << (i / 32));
  }
}

// Sub-block s: the bytes [16s, 16s + 16), code i < 16 low, i + 16 high.
constexpr size_t RunNibbleByte(size_t i) { return i / 32 * 16 + i % 16; }
constexpr size_t RunNibbleShift(size_t i) { return i % 32 / 16 * 4; }

void ReadBlock(const BlockIq4Xs& block, BlockFields* fields) {
  fields->halves = {block.d, F16{block.scales_high}};
  std::memcpy(fields->scales.data(), block.scales_low, sizeof block.scales_low);
  for (size_t i = 0; i < 256; ++i) {
    fields->codes[i] = static_cast<uint8_t>(block.q[RunNibbleByte(i)] >> RunNibbleShift(i) & 15);
  }
}

void WriteBlock(const BlockFields& fields, BlockIq4Xs* block) {
  *block = {};
  block->d = fields.halves[0];
  block->scales_high = fields.halves[1].bits;
  std::memcpy(block->scales_low, fields.scales.data(), sizeof block->scales_low);
  for (size_t i = 0; i < 256; ++i) {
    uint8_t& byte = block->q[RunNibbleByte(i)];
    byte = static_cast<uint8_t>(byte | fields.codes[i] << RunNibbleShift(i));
  }
}

// Scale bytes of a row of a strip.
constexpr int64_t ScaleBytesOfRow(const TileFormat& format) {
  return format.scales_bytes / kStripRows;
}

template <DataType kType, class Block>
void PackRow(const std::byte* row, int64_t num_channels, int64_t tile_row, std::byte* tile) {
  constexpr TileFormat kFormat = FormatOf(kType);
  const int64_t r = tile_row % kStripRows;
  for (int64_t b = 0; b < num_channels / kFormat.BlockChannels(); ++b) {
    Block block;
    std::memcpy(&block, row + b * static_cast<int64_t>(sizeof block), sizeof block);
    BlockFields fields;
    ReadBlock(block, &fields);
    const BlockPlace place = PlaceOf(kFormat, num_channels, tile_row / kStripRows, b);
    constexpr int64_t kEntry = kFormat.EntryBytes();
    std::memcpy(tile + place.first + kEntry * r, &fields.halves[0], kEntry);
    if (kFormat.HasSecond()) std::memcpy(tile + place.second + 2 * r, &fields.halves[1], 2);
    for (int64_t i = 0; i < ScaleBytesOfRow(kFormat); ++i) {
      tile[place.scales + ScaleOffset(kFormat, r, i)] =
          std::byte{fields.scales[static_cast<size_t>(i)]};
    }
    for (int64_t i = 0; i < 32 * kFormat.sub_blocks; ++i) {
      SetTileCode<kFormat.bits>(tile + place.codes + i / 32 * kFormat.sub_block_bytes, r, i % 32,
                                fields.codes[static_cast<size_t>(i)]);
    }
  }
}

template <DataType kType, class Block>
void UnpackBlock(const std::byte* tile, const BlockPlace& place, int64_t r, Block* block) {
  constexpr TileFormat kFormat = FormatOf(kType);
  BlockFields fields;
  constexpr int64_t kEntry = kFormat.EntryBytes();
  std::memcpy(&fields.halves[0], tile + place.first + kEntry * r, kEntry);
  if (kFormat.HasSecond()) fields.halves[1] = TileHalf(tile + place.second, r);
  for (int64_t i = 0; i < ScaleBytesOfRow(kFormat); ++i) {
    fields.scales[static_cast<size_t>(i)] =
        static_cast<uint8_t>(tile[place.scales + ScaleOffset(kFormat, r, i)]);
  }
  for (int64_t i = 0; i < 32 * kFormat.sub_blocks; ++i) {
    const std::byte* codes = tile + place.codes + i / 32 * kFormat.sub_block_bytes;
    fields.codes[static_cast<size_t>(i)] =
        static_cast<uint8_t>(TileCode<kFormat.bits>(codes, r, i % 32));
  }
  WriteBlock(fields, block);
}

template <DataType kType, class Block>
void UnpackRow(const std::byte* tile, int64_t row, int64_t num_channels, float* out) {
  constexpr TileFormat kFormat = FormatOf(kType);
  constexpr int64_t kChannels = kFormat.BlockChannels();
  for (int64_t b = 0; b < num_channels / kChannels; ++b) {
    Block block;
    UnpackBlock<kType, Block>(tile, PlaceOf(kFormat, num_channels, row / kStripRows, b),
                              row % kStripRows, &block);
    DequantiseRow(kType, reinterpret_cast<const std::byte*>(&block), kChannels,
                  out + b * kChannels);
  }
}

// Float types: element (channel, row) of the row's strip.
int64_t PlainOffset(int64_t num_channels, int64_t row, int64_t channel) {
  return (row / kStripRows * num_channels + channel) * kStripRows + row % kStripRows;
}

void PackPlainRow(int64_t element_bytes, const std::byte* row, int64_t num_channels, int64_t r,
                  std::byte* tile) {
  for (int64_t c = 0; c < num_channels; ++c) {
    std::memcpy(tile + PlainOffset(num_channels, r, c) * element_bytes, row + c * element_bytes,
                static_cast<size_t>(element_bytes));
  }
}

void UnpackPlainRow(DataType type, const std::byte* tile, int64_t r, int64_t num_channels,
                    float* out) {
  const int64_t element_bytes = Traits(type).block_bytes;
  for (int64_t c = 0; c < num_channels; ++c) {
    DequantiseRow(type, tile + PlainOffset(num_channels, r, c) * element_bytes, 1, out + c);
  }
}

using PackRowFn = void (*)(const std::byte*, int64_t, int64_t, std::byte*);
using UnpackRowFn = void (*)(const std::byte*, int64_t, int64_t, float*);

struct Packer {
  PackRowFn pack;
  UnpackRowFn unpack;
};

template <DataType kType, class Block>
constexpr Packer kPacker = {PackRow<kType, Block>, UnpackRow<kType, Block>};

const Packer& PackerOf(DataType type) {
  switch (type) {
    case DataType::kQ8_0:
      return kPacker<DataType::kQ8_0, BlockQ8_0>;
    case DataType::kQ4_0:
      return kPacker<DataType::kQ4_0, BlockQ4_0>;
    case DataType::kQ4_1:
      return kPacker<DataType::kQ4_1, BlockQ4_1>;
    case DataType::kQ5_0:
      return kPacker<DataType::kQ5_0, BlockQ5_0>;
    case DataType::kQ5_1:
      return kPacker<DataType::kQ5_1, BlockQ5_1>;
    case DataType::kQ4_K:
      return kPacker<DataType::kQ4_K, BlockQ4_K>;
    case DataType::kQ5_K:
      return kPacker<DataType::kQ5_K, BlockQ5_K>;
    case DataType::kQ6_K:
      return kPacker<DataType::kQ6_K, BlockQ6_K>;
    case DataType::kQ2_K:
      return kPacker<DataType::kQ2_K, BlockQ2_K>;
    case DataType::kQ3_K:
      return kPacker<DataType::kQ3_K, BlockQ3_K>;
    case DataType::kIQ4_NL:
      return kPacker<DataType::kIQ4_NL, BlockIq4Nl>;
    case DataType::kIQ4_XS:
      return kPacker<DataType::kIQ4_XS, BlockIq4Xs>;
    case DataType::kMXFP4:
      return kPacker<DataType::kMXFP4, BlockMXFP4>;
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
  HW_CHECK(false, "a quantised type");
}

}  // namespace

int64_t TileBytes(DataType type, int64_t num_channels) {
  const int64_t strip = kStripRows * RowBytes(type, num_channels);
  return kTileStrips * ((strip + kTileVectorBytes - 1) / kTileVectorBytes * kTileVectorBytes);
}

void PackTile(DataType type, std::span<const std::byte* const> rows, int64_t num_channels,
              std::byte* tile) {
  HW_CHECK(rows.size() <= static_cast<size_t>(kTileRows), "a tile has 64 rows");
  std::memset(tile, 0, static_cast<size_t>(TileBytes(type, num_channels)));
  for (size_t r = 0; r < rows.size(); ++r) {
    const auto index = static_cast<int64_t>(r);
    if (IsQuantised(type)) {
      PackerOf(type).pack(rows[r], num_channels, index, tile);
    } else {
      PackPlainRow(Traits(type).block_bytes, rows[r], num_channels, index, tile);
    }
  }
}

void UnpackTileRow(DataType type, const std::byte* tile, int64_t row, int64_t num_channels,
                   float* out) {
  if (IsQuantised(type)) {
    PackerOf(type).unpack(tile, row, num_channels, out);
  } else {
    UnpackPlainRow(type, tile, row, num_channels, out);
  }
}

}  // namespace headway::kernels
