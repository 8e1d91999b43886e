#pragma once

// The planes of a head row by row: what a device, a check or a test reads of them. The kernels read
// the same bytes as vectors.

#include <cstdint>
#include <span>

#include "lmhead/planes.h"
#include "tensor/half.h"

namespace headway::lmhead {

// Writes the signs of block `block` of row `row`, one a channel: 1 for +1, 0 for -1.
void ReadSigns(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> signs);
// The second bits and the third ones, 0 or 1, one a channel.
void ReadSecondBits(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> bits);
void ReadThirdBits(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> bits);

// A term of a row (kernels/plane_layout.h): scale of a block, gamma, slack, coefficient; times
// 2^scale_exponent but for gammas. Signs and records store their own.
F16 SignTerm(const Planes& planes, int64_t row, int64_t term);
F16 RecordTerm(const Planes& planes, int64_t row, int64_t term);

}  // namespace headway::lmhead
