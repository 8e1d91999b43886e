#pragma once

// Rows of stored elements to float and back, for every weight type. This is the definition that kernels are compared with; it is plain rather than fast. Block
// layouts: tensor/blocks.h.

#include <cstddef>
#include <cstdint>

#include "tensor/data_type.h"

namespace headway {

// Writes the `num_elements` values of one stored row to `out`.
//   row: RowBytes(type, num_elements) bytes of any alignment
//   out: [num_elements] f32
// Requires IsWeightType(type) and a whole number of blocks. Total: any bytes decode to something.
// Each value is the block formula evaluated in binary32, with at most one rounding (products are
// exact: at most 11 + 6 + 7 bits).
void DequantiseRow(DataType type, const std::byte* row, int64_t num_elements, float* out);

// Stores `values` as one row; the inverse of DequantiseRow up to the type's precision.
//   values: [num_elements] f32
//   row: RowBytes(type, num_elements) bytes of any alignment, written completely
// Requires as above. Deterministic: the same bits on every machine. Values are expected to be
// finite; others give some stored number, never undefined behaviour. Errors per type:
// docs/formats/gguf.md, section 6.
void QuantiseRow(DataType type, const float* values, int64_t num_elements, std::byte* row);

}  // namespace headway
