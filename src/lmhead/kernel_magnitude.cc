#include "lmhead/kernel_magnitude.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/codec.h"

namespace headway::lmhead {
namespace {

// The bytes of a block that hold codes; none for types without minimum.
struct CodeBytes {
  size_t begin = 0;
  size_t end = 0;
};

CodeBytes CodesOf(DataType type) {
  switch (type) {
    case DataType::kQ4_1:
      return {offsetof(BlockQ4_1, q), sizeof(BlockQ4_1)};
    case DataType::kQ5_1:
      return {offsetof(BlockQ5_1, high), sizeof(BlockQ5_1)};
    case DataType::kQ4_K:
      return {offsetof(BlockQ4_K, q), sizeof(BlockQ4_K)};
    case DataType::kQ5_K:
      return {offsetof(BlockQ5_K, high), sizeof(BlockQ5_K)};
    case DataType::kQ2_K:
      return {offsetof(BlockQ2_K, q), offsetof(BlockQ2_K, d)};
    case DataType::kF32:
    case DataType::kF16:
    case DataType::kBF16:
    case DataType::kI8:
    case DataType::kI16:
    case DataType::kI32:
    case DataType::kI64:
    case DataType::kF64:
    case DataType::kQ4_0:
    case DataType::kQ5_0:
    case DataType::kQ8_0:
    case DataType::kQ6_K:
    case DataType::kQ3_K:
    case DataType::kIQ4_NL:
    case DataType::kIQ4_XS:
    case DataType::kMXFP4:
      break;
  }
  return {};
}

}  // namespace

KernelMagnitude::KernelMagnitude(DataType type, int64_t num_channels)
    : type_(type),
      has_minimum_(CodesOf(type).end > 0),
      codeless_(has_minimum_ ? static_cast<size_t>(RowBytes(type, num_channels)) : 0),
      minima_(static_cast<size_t>(num_channels)),
      squares_(static_cast<size_t>(num_channels)) {}

void KernelMagnitude::SetRow(const std::byte* row, std::span<const float> values) {
  if (!has_minimum_) {
    for (size_t c = 0; c < values.size(); ++c) {
      squares_[c] = static_cast<double>(values[c]) * values[c];
    }
    return;
  }
  std::memcpy(codeless_.data(), row, codeless_.size());
  const auto block = static_cast<size_t>(Traits(type_).block_bytes);
  const CodeBytes codes_of = CodesOf(type_);
  for (size_t offset = 0; offset < codeless_.size(); offset += block) {
    std::memset(codeless_.data() + offset + codes_of.begin, 0, codes_of.end - codes_of.begin);
  }
  DequantiseRow(type_, codeless_.data(), static_cast<int64_t>(values.size()), minima_.data());
  for (size_t first = 0; first < values.size(); first += 32) {
    double codes = 0.0;
    double minima = 0.0;
    for (size_t c = first; c < first + 32; ++c) {
      const double minimum = minima_[c];
      const double code = static_cast<double>(values[c]) - minimum;
      codes += code * code;
      minima += minimum * minimum;
    }
    const double norm = std::sqrt(codes) + std::sqrt(minima);
    std::fill_n(squares_.begin() + static_cast<std::ptrdiff_t>(first), 32, norm * norm / 32.0);
  }
}

double KernelMagnitude::Norm(int64_t begin, int64_t size) const {
  double sum = 0.0;
  for (int64_t c = begin; c < begin + size; ++c) sum += squares_[static_cast<size_t>(c)];
  return std::sqrt(sum);
}

}  // namespace headway::lmhead
