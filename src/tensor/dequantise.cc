#include <cstring>

#include "base/check.h"
#include "tensor/blocks.h"
#include "tensor/codec.h"
#include "tensor/half.h"

namespace headway {
namespace {

// Low nibbles are elements 0..15, high nibbles 16..31 (BlockQ4_0).
int Nibble(const uint8_t q[16], int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }

int HighBit(const uint8_t high[4], int i) { return (high[i / 8] >> (i % 8)) & 1; }

void DecodeBlock(const BlockQ8_0& block, float* out) {
  const float d = ToFloat(block.d);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(block.q[i]);
}

void DecodeBlock(const BlockQ4_0& block, float* out) {
  const float d = ToFloat(block.d);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Nibble(block.q, i) - 8);
}

void DecodeBlock(const BlockQ4_1& block, float* out) {
  const float d = ToFloat(block.d);
  const float m = ToFloat(block.m);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Nibble(block.q, i)) + m;
}

void DecodeBlock(const BlockQ5_0& block, float* out) {
  const float d = ToFloat(block.d);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>((Nibble(block.q, i) | HighBit(block.high, i) << 4) - 16);
  }
}

void DecodeBlock(const BlockQ5_1& block, float* out) {
  const float d = ToFloat(block.d);
  const float m = ToFloat(block.m);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(Nibble(block.q, i) | HighBit(block.high, i) << 4) + m;
  }
}

void DecodeBlock(const BlockQ4_K& block, float* out) {
  const float d = ToFloat(block.d);
  const float dmin = ToFloat(block.dmin);
  for (int s = 0; s < 8; ++s) {
    const SubScale sub = UnpackSubScale(block.scales, s);
    const float scale = d * static_cast<float>(sub.scale);
    const float min = dmin * static_cast<float>(sub.min);
    const uint8_t* q = &block.q[size_t{32} * static_cast<size_t>(s / 2)];
    for (int j = 0; j < 32; ++j) {
      out[32 * s + j] = scale * static_cast<float>(s % 2 == 0 ? q[j] & 15 : q[j] >> 4) - min;
    }
  }
}

void DecodeBlock(const BlockQ5_K& block, float* out) {
  const float d = ToFloat(block.d);
  const float dmin = ToFloat(block.dmin);
  for (int s = 0; s < 8; ++s) {
    const SubScale sub = UnpackSubScale(block.scales, s);
    const float scale = d * static_cast<float>(sub.scale);
    const float min = dmin * static_cast<float>(sub.min);
    const uint8_t* q = &block.q[size_t{32} * static_cast<size_t>(s / 2)];
    for (int j = 0; j < 32; ++j) {
      const int low = s % 2 == 0 ? q[j] & 15 : q[j] >> 4;
      out[32 * s + j] = scale * static_cast<float>(low | ((block.high[j] >> s) & 1) << 4) - min;
    }
  }
}

void DecodeBlock(const BlockQ6_K& block, float* out) {
  const float d = ToFloat(block.d);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int quarter = (i % 128) / 32;
    const int j = i % 32;
    const int low = (block.low[64 * half + 32 * (quarter % 2) + j] >> (4 * (quarter / 2))) & 15;
    const int high = (block.high[32 * half + j] >> (2 * quarter)) & 3;
    const int8_t scale = block.scale[i / 16];
    out[i] = d * static_cast<float>(scale) * static_cast<float>((low | high << 4) - 32);
  }
}

void DecodeBlock(const BlockQ2_K& block, float* out) {
  const float d = ToFloat(block.d);
  const float dmin = ToFloat(block.dmin);
  for (int i = 0; i < 256; ++i) {
    const uint8_t scale = block.scales[i / 16];
    const int two = block.q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    out[i] = d * static_cast<float>(scale & 15) * static_cast<float>(two) -
             dmin * static_cast<float>(scale >> 4);
  }
}

void DecodeBlock(const BlockQ3_K& block, float* out) {
  const float d = ToFloat(block.d);
  for (int i = 0; i < 256; ++i) {
    const int two = block.q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
    const int third = block.high[i % 32] >> (i / 32) & 1;
    const int scale = UnpackQ3Scale(block.scales, i / 16) - 32;
    out[i] = d * static_cast<float>(scale) * static_cast<float>((two | third << 2) - 4);
  }
}

void DecodeBlock(const BlockIq4Nl& block, float* out) {
  const float d = ToFloat(block.d);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(kIQ4Values[static_cast<size_t>(Nibble(block.q, i))]);
  }
}

void DecodeBlock(const BlockIq4Xs& block, float* out) {
  const float d = ToFloat(block.d);
  for (int i = 0; i < 256; ++i) {
    const int s = i / 32;
    const int scale = UnpackIQ4Scale(block.scales_low, block.scales_high, s) - 32;
    const auto code =
        static_cast<size_t>(Nibble(block.q + size_t{16} * static_cast<size_t>(s), i % 32));
    out[i] = d * static_cast<float>(scale) * static_cast<float>(kIQ4Values[code]);
  }
}

void DecodeBlock(const BlockMXFP4& block, float* out) {
  const float d = MxScale(block.e);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(kFP4Values[static_cast<size_t>(Nibble(block.q, i))]);
  }
}

void DecodeBlock(const float& value, float* out) { *out = value; }
void DecodeBlock(const F16& value, float* out) { *out = ToFloat(value); }
void DecodeBlock(const BF16& value, float* out) { *out = ToFloat(value); }

// memcpy: rows in a file may start at any address.
template <class Block>
void DecodeRow(DataType type, const std::byte* row, int64_t num_elements, float* out) {
  const int64_t block_elements = Traits(type).block_elements;
  for (int64_t i = 0; i < num_elements; i += block_elements) {
    Block block;
    std::memcpy(&block, row, sizeof(Block));
    DecodeBlock(block, out + i);
    row += sizeof(Block);
  }
}

}  // namespace

void DequantiseRow(DataType type, const std::byte* row, int64_t num_elements, float* out) {
  HW_CHECK(num_elements % Traits(type).block_elements == 0, "a row is a whole number of blocks");
  switch (type) {
    case DataType::kF32:
      return DecodeRow<float>(type, row, num_elements, out);
    case DataType::kF16:
      return DecodeRow<F16>(type, row, num_elements, out);
    case DataType::kBF16:
      return DecodeRow<BF16>(type, row, num_elements, out);
    case DataType::kQ4_0:
      return DecodeRow<BlockQ4_0>(type, row, num_elements, out);
    case DataType::kQ4_1:
      return DecodeRow<BlockQ4_1>(type, row, num_elements, out);
    case DataType::kQ5_0:
      return DecodeRow<BlockQ5_0>(type, row, num_elements, out);
    case DataType::kQ5_1:
      return DecodeRow<BlockQ5_1>(type, row, num_elements, out);
    case DataType::kQ8_0:
      return DecodeRow<BlockQ8_0>(type, row, num_elements, out);
    case DataType::kQ4_K:
      return DecodeRow<BlockQ4_K>(type, row, num_elements, out);
    case DataType::kQ5_K:
      return DecodeRow<BlockQ5_K>(type, row, num_elements, out);
    case DataType::kQ6_K:
      return DecodeRow<BlockQ6_K>(type, row, num_elements, out);
    case DataType::kQ2_K:
      return DecodeRow<BlockQ2_K>(type, row, num_elements, out);
    case DataType::kQ3_K:
      return DecodeRow<BlockQ3_K>(type, row, num_elements, out);
    case DataType::kIQ4_NL:
      return DecodeRow<BlockIq4Nl>(type, row, num_elements, out);
    case DataType::kIQ4_XS:
      return DecodeRow<BlockIq4Xs>(type, row, num_elements, out);
    case DataType::kMXFP4:
      return DecodeRow<BlockMXFP4>(type, row, num_elements, out);
    case DataType::kI8:
    case DataType::kI16:
    case DataType::kI32:
    case DataType::kI64:
    case DataType::kF64:
      break;
  }
  HW_CHECK(IsWeightType(type), "only weight types have a float codec");
}

}  // namespace headway
