#pragma once

// A hidden state cut into its shares of the planes' common directions and the rest that is rotated.
// Used by Screening and by whoever checks it.

#include <span>

#include "lmhead/planes.h"

namespace headway::lmhead {

// shares[d] = U_d . hidden, in sixteen lanes as products elsewhere (docs/arithmetic.md, the sum
// rule, without fma); rest = hidden - sum_d shares[d] U_d, directions ascending. `hidden`, `rest`:
// [D]; `shares`: [directions]. No allocation.
void SplitState(const Planes& planes, std::span<const float> hidden, std::span<float> shares,
                std::span<float> rest);

}  // namespace headway::lmhead
