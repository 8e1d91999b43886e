#pragma once

// Quantisers for rows of weights: pure functions from floats to codes and scales. Used by
// EmitWeight.

#include <cstdint>
#include <span>
#include <vector>

namespace headway::mil {

// The smallest fp16 value s with s * levels >= max |row|; 1 for a row of zeros, because a scale of
// 0 makes NaN on the device (rule 22 of the placement rules).
float RowScale(std::span<const float> row, int levels);

// codes[i] = round(row[i] / scale) clamped to [-levels, levels], as two's complement bytes.
void QuantiseRow(std::span<const float> row, float scale, int levels, std::span<uint8_t> codes);

// The index of the nearest table entry; ties to the lower one. `table` ascends.
void LookUpCodes(std::span<const float> values, std::span<const float> table,
                 std::span<uint8_t> codes);

}  // namespace headway::mil
