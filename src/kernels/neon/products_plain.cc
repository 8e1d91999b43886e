#if defined(__aarch64__)

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "kernels/neon/bytes.h"
#include "kernels/neon/dots_plain.h"
#include "kernels/neon/set.h"
#include "kernels/tile_layout.h"

// clang-format off
namespace headway::kernels::neon::plain {
namespace {
#include "kernels/neon/tile_reader.inc"
#include "kernels/neon/product.inc"
}  // namespace
}  // namespace headway::kernels::neon::plain
// clang-format on

namespace headway::kernels::neon::plain {

void AddProducts(KernelSet* set) { AddQuantisedProducts(set); }

}  // namespace headway::kernels::neon::plain

#endif  // defined(__aarch64__)
