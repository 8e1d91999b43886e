#if defined(__x86_64__)

#include "kernels/avx512/lanes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/avx512/set.h"
#include "kernels/exp.h"

// clang-format off
#include "kernels/avx512/region_begin.h"  // last: nothing else may be inside the region
namespace headway::kernels::avx512 {
namespace {
#include "kernels/lanes/all.inc"
}  // namespace
}  // namespace headway::kernels::avx512
#include "kernels/region_end.h"
// clang-format on

namespace headway::kernels::avx512 {

void AddLaneKernels(KernelSet* set) {
#include "kernels/lanes/fields.inc"
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
