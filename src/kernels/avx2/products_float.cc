#if defined(__x86_64__)

#include <algorithm>
#include <type_traits>

#include "kernels/avx2/lanes.h"
#include "kernels/avx2/set.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/avx2/region_begin.h"  // last: nothing else may be inside the region
namespace headway::kernels::avx2 {
namespace {
#include "kernels/lanes/product_float.inc"
}  // namespace
}  // namespace headway::kernels::avx2
#include "kernels/region_end.h"
// clang-format on

namespace headway::kernels::avx2 {

void AddFloatProducts(KernelSet* set) {
  set->ProductOf(DataType::kF32) = MatMulFloat<DataType::kF32>;
  set->ProductOf(DataType::kF16) = MatMulFloat<DataType::kF16>;
  set->ProductOf(DataType::kBF16) = MatMulFloat<DataType::kBF16>;
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
