#include "device/coreml/shards/row_encoders.h"

#include <algorithm>
#include <cmath>

#include "tensor/half.h"

namespace headway::mil {
float RowScale(std::span<const float> row, int levels) {
  float largest = 0.0F;
  for (const float value : row) largest = std::max(largest, std::abs(value));
  if (largest == 0.0F) return 1.0F;
  F16 half = ToF16(largest / static_cast<float>(levels));
  while (half.bits < 0x7bff && ToFloat(half) * static_cast<float>(levels) < largest) ++half.bits;
  return ToFloat(half);
}

void QuantiseRow(std::span<const float> row, float scale, int levels, std::span<uint8_t> codes) {
  const float inverse = 1.0F / scale;
  const auto bound = static_cast<float>(levels);
  for (size_t i = 0; i < row.size(); ++i) {
    const float scaled = std::min(std::max(row[i] * inverse, -bound), bound);
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, ties to even, without a
    // function call.
    const float rounded = (scaled + 12582912.0F) - 12582912.0F;
    codes[i] = static_cast<uint8_t>(static_cast<int8_t>(rounded));
  }
}

void LookUpCodes(std::span<const float> values, std::span<const float> table,
                 std::span<uint8_t> codes) {
  std::vector<float> borders(table.size() - 1);
  for (size_t i = 0; i < borders.size(); ++i) borders[i] = (table[i] + table[i + 1]) / 2;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto at = std::lower_bound(borders.begin(), borders.end(), values[i]);
    codes[i] = static_cast<uint8_t>(at - borders.begin());
  }
}

}  // namespace headway::mil
