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
// The two further bits, 0 to 3, one a channel.
void ReadCodes(const Planes& planes, int64_t row, int64_t block, std::span<uint8_t> codes);

// A term of a row (kernels/plane_layout.h): scale of a block, gamma, slack, coefficient; times
// 2^scale_exponent but for gammas. Both planes store their own.
F16 SignTerm(const Planes& planes, int64_t row, int64_t term);
F16 RefineTerm(const Planes& planes, int64_t row, int64_t term);

}  // namespace headway::lmhead
