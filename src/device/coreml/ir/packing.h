#pragma once

// Packed elements: element i of an n-bit type takes bits [i n, i n + n) of the byte stream, least
// significant bit first, so that 3- and 6-bit elements cross byte borders. Signed 4-bit elements
// are two's complement nibbles. Source: Core ML weight storage, verified byte vectors in
// docs/formats/coreml_package.md.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "device/coreml/ir/dtype.h"

namespace headway::mil {

// Packs values given as one byte each (signed ones as int8); `dtype` is an integer type of at most
// 8 bits.
std::vector<std::byte> PackBits(DType dtype, std::span<const uint8_t> values);

// Element `index` of packed data, sign-extended for int4 and int8.
int32_t UnpackElement(DType dtype, std::span<const std::byte> packed, int64_t index);

// Elements [first, first + out.size()) of packed data.
void UnpackBits(DType dtype, std::span<const std::byte> packed, int64_t first,
                std::span<int32_t> out);

}  // namespace headway::mil
