#if defined(__x86_64__)

// Everything but the products, sixteen lanes wide.

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/cpu/avx2/avx2.h"
#include "kernels/cpu/avx2/lanes.h"
#include "kernels/exp.h"

// clang-format off
#include "kernels/cpu/target_avx2_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx2 {
namespace {

// clang-format off
#include "kernels/cpu/lanes/math.inc"
#include "kernels/cpu/lanes/vector.inc"
#include "kernels/cpu/lanes/best.inc"
#include "kernels/cpu/lanes/select.inc"
#include "kernels/cpu/lanes/attention.inc"
// clang-format on

}  // namespace

#include "kernels/cpu/target_end.h"  // what follows runs on every processor

void AddLaneKernels(KernelSet* set) {
#include "kernels/cpu/lanes/fields.inc"
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
