#if defined(__aarch64__)

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "kernels/neon/bytes.h"
#include "kernels/neon/dots_dot.h"
#include "kernels/neon/set.h"
#include "kernels/tile_layout.h"

// clang-format off
#include "kernels/neon/region_dot_begin.h"  // last: nothing else may be inside the region
namespace headway::kernels::neon::dot {
namespace {
#include "kernels/neon/tile_reader.inc"
#include "kernels/neon/product.inc"
}  // namespace
}  // namespace headway::kernels::neon::dot
#include "kernels/region_end.h"
// clang-format on

namespace headway::kernels::neon::dot {

void AddProducts(KernelSet* set) { AddQuantisedProducts(set); }

}  // namespace headway::kernels::neon::dot

#endif  // defined(__aarch64__)
