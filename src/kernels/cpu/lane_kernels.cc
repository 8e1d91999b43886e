#if defined(__x86_64__)

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/cpu/avx2/lanes.h"
#include "kernels/cpu/avx512/lanes.h"
#include "kernels/cpu/parts.h"
#include "kernels/exp.h"

// clang-format off
#include "kernels/cpu/target_avx2_begin.h"  // nothing but the kernels may be inside a region
namespace headway::kernels::avx2 {
namespace {
#include "kernels/cpu/lanes/all.inc"
}  // namespace
}  // namespace headway::kernels::avx2
#include "kernels/cpu/target_end.h"

#include "kernels/cpu/target_avx512_begin.h"
namespace headway::kernels::avx512 {
namespace {
#include "kernels/cpu/lanes/all.inc"
}  // namespace
}  // namespace headway::kernels::avx512
#include "kernels/cpu/target_end.h"
// clang-format on

namespace headway::kernels::avx2 {
namespace {
void SetFields(KernelSet* set) {
#include "kernels/cpu/lanes/fields.inc"
}
}  // namespace
}  // namespace headway::kernels::avx2

namespace headway::kernels::avx512 {
namespace {
void SetFields(KernelSet* set) {
#include "kernels/cpu/lanes/fields.inc"
}
}  // namespace
}  // namespace headway::kernels::avx512

namespace headway::kernels::cpu {

void AddLaneKernels(CpuTables* tables) {
  avx2::SetFields(&tables->avx2);
  avx512::SetFields(&tables->avx512);
}

}  // namespace headway::kernels::cpu

#endif  // defined(__x86_64__)
