#if defined(__aarch64__)

// As lanes_plain.cc, for attention over keys in Q8_0, whose codes it multiplies.

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/exp.h"
#include "kernels/neon/dots_dot.h"
#include "kernels/neon/set.h"

// clang-format off
#include "kernels/neon/region_dot_begin.h"  // last: nothing else may be inside the region
namespace headway::kernels::neon::dot {
namespace {
#include "kernels/neon/key_products.inc"
#include "kernels/lanes/all.inc"
}  // namespace
}  // namespace headway::kernels::neon::dot
#include "kernels/region_end.h"
// clang-format on

namespace headway::kernels::neon::dot {

void AddLaneKernels(KernelSet* set) {
#include "kernels/lanes/fields.inc"
}

}  // namespace headway::kernels::neon::dot

#endif  // defined(__aarch64__)
