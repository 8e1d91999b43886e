#if defined(__aarch64__)

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "kernels/exp.h"
#include "kernels/neon/dots_plain.h"
#include "kernels/neon/lanes.h"
#include "kernels/neon/set.h"
#include "kernels/tiles.h"

// clang-format off
namespace headway::kernels::neon::plain {
namespace {
#include "kernels/neon/key_products.inc"
#include "kernels/lanes/all.inc"
#include "kernels/lanes/product_float.inc"
}  // namespace
}  // namespace headway::kernels::neon::plain
// clang-format on

namespace headway::kernels::neon::plain {

void AddLaneKernels(KernelSet* set) {
#include "kernels/lanes/fields.inc"
  set->ProductOf(DataType::kF32) = MatMulFloat<DataType::kF32>;
  set->ProductOf(DataType::kF16) = MatMulFloat<DataType::kF16>;
  set->ProductOf(DataType::kBF16) = MatMulFloat<DataType::kBF16>;
}

}  // namespace headway::kernels::neon::plain

#endif  // defined(__aarch64__)
