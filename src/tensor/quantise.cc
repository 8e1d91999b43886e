#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/blocks.h"
#include "tensor/codec.h"
#include "tensor/half.h"
#include "tensor/quantise_k.h"
#include "tensor/quantise_table.h"
#include "tensor/scale_search.h"

namespace headway {
namespace {

// 1 / d, or 0 when d is: a block whose scale vanishes in binary16 becomes zeros.
float InverseOf(float d) { return d == 0.0F ? 0.0F : 1.0F / d; }

void EncodeBlock(const float* x, BlockQ8_0& block) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  block.d = FiniteF16(largest / 127.0F);
  const float inverse = InverseOf(ToFloat(block.d));
  for (int i = 0; i < 32; ++i) {
    block.q[i] = static_cast<int8_t>(RoundClamped(x[i] * inverse, -127.0F, 127.0F));
  }
}

// q[i] in [0, 2^bits): the lower four bits go to the nibbles, a fifth to `high_or_null`.
void PackSimple(const float* x, float offset, float inverse, float top, uint8_t q[16],
                uint8_t* high_or_null) {
  std::memset(q, 0, 16);
  if (high_or_null != nullptr) std::memset(high_or_null, 0, 4);
  for (int i = 0; i < 32; ++i) {
    const int level = static_cast<int>(RoundClamped((x[i] - offset) * inverse, 0.0F, top));
    const int nibble = (level & 15) << (i < 16 ? 0 : 4);
    q[i % 16] = static_cast<uint8_t>(q[i % 16] | nibble);
    if (high_or_null != nullptr) {
      high_or_null[i / 8] = static_cast<uint8_t>(high_or_null[i / 8] | (level >> 4) << (i % 8));
    }
  }
}

void EncodeBlock(const float* x, BlockQ4_0& block) {
  block.d = FiniteF16(FitSymmetric(x, 32, 7));
  const float d = ToFloat(block.d);
  PackSimple(x, -8.0F * d, InverseOf(d), 15.0F, block.q, nullptr);
}

void EncodeBlock(const float* x, BlockQ5_0& block) {
  block.d = FiniteF16(FitSymmetric(x, 32, 15));
  const float d = ToFloat(block.d);
  PackSimple(x, -16.0F * d, InverseOf(d), 31.0F, block.q, block.high);
}

void EncodeBlock(const float* x, BlockQ4_1& block) {
  const AffineFit fit = FitAffine(x, 32, 15, false);
  block.d = FiniteF16(fit.scale);
  block.m = FiniteF16(fit.offset);
  PackSimple(x, ToFloat(block.m), InverseOf(ToFloat(block.d)), 15.0F, block.q, nullptr);
}

void EncodeBlock(const float* x, BlockQ5_1& block) {
  const AffineFit fit = FitAffine(x, 32, 31, false);
  block.d = FiniteF16(fit.scale);
  block.m = FiniteF16(fit.offset);
  PackSimple(x, ToFloat(block.m), InverseOf(ToFloat(block.d)), 31.0F, block.q, block.high);
}

void EncodeBlock(const float* x, float& value) { value = *x; }
void EncodeBlock(const float* x, F16& value) { value = ToF16(*x); }
void EncodeBlock(const float* x, BF16& value) { value = ToBF16(*x); }

template <class Block>
void EncodeRow(DataType type, const float* values, int64_t num_elements, std::byte* row) {
  const int64_t block_elements = Traits(type).block_elements;
  for (int64_t i = 0; i < num_elements; i += block_elements) {
    Block block;
    EncodeBlock(values + i, block);
    std::memcpy(row, &block, sizeof(Block));
    row += sizeof(Block);
  }
}

}  // namespace

void QuantiseRow(DataType type, const float* values, int64_t num_elements, std::byte* row) {
  HW_CHECK(num_elements % Traits(type).block_elements == 0, "a row is a whole number of blocks");
  switch (type) {
    case DataType::kF32:
      return EncodeRow<float>(type, values, num_elements, row);
    case DataType::kF16:
      return EncodeRow<F16>(type, values, num_elements, row);
    case DataType::kBF16:
      return EncodeRow<BF16>(type, values, num_elements, row);
    case DataType::kQ4_0:
      return EncodeRow<BlockQ4_0>(type, values, num_elements, row);
    case DataType::kQ4_1:
      return EncodeRow<BlockQ4_1>(type, values, num_elements, row);
    case DataType::kQ5_0:
      return EncodeRow<BlockQ5_0>(type, values, num_elements, row);
    case DataType::kQ5_1:
      return EncodeRow<BlockQ5_1>(type, values, num_elements, row);
    case DataType::kQ8_0:
      return EncodeRow<BlockQ8_0>(type, values, num_elements, row);
    case DataType::kQ4_K:
      return EncodeRow<BlockQ4_K>(type, values, num_elements, row);
    case DataType::kQ5_K:
      return EncodeRow<BlockQ5_K>(type, values, num_elements, row);
    case DataType::kQ6_K:
      return EncodeRow<BlockQ6_K>(type, values, num_elements, row);
    case DataType::kQ2_K:
      return EncodeRow<BlockQ2_K>(type, values, num_elements, row);
    case DataType::kQ3_K:
      return EncodeRow<BlockQ3_K>(type, values, num_elements, row);
    case DataType::kIQ4_NL:
      return EncodeRow<BlockIq4Nl>(type, values, num_elements, row);
    case DataType::kIQ4_XS:
      return EncodeRow<BlockIq4Xs>(type, values, num_elements, row);
    case DataType::kMXFP4:
      return EncodeRow<BlockMXFP4>(type, values, num_elements, row);
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
