#if defined(__aarch64__)

// Refinement with dot products.

#include <algorithm>
#include <cmath>

#include "kernels/neon/bytes.h"
#include "kernels/neon/dots_dot.h"
#include "kernels/neon/set.h"
#include "kernels/plane_kernels.h"

// clang-format off
#include "kernels/neon/region_dot_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::neon::dot {
namespace {

// Two rows share the loads of activations.
inline constexpr size_t kRefineAtOnce = 2;

// A bit that is set is a code of -1 here: the sums are the wrong way round until the end.
template <size_t kRows>
HW_KERNEL_INLINE void DotBits(const std::byte* const* bits, const int8_t* q, Ints* dots) {
  Bytes v[kRows];
  HW_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    v[r] = LoadLine(bits[r]);
    dots[r] = Set(int32_t{0});
  }
  HW_UNROLL
  for (int64_t f = 0; f < 8; ++f) {
    const uint8x16_t bit = vdupq_n_u8(static_cast<uint8_t>(1U << f));
    const Codes line = AsCodes(LoadLine(reinterpret_cast<const std::byte*>(q + 64 * f)));
    HW_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
      HW_UNROLL
      for (size_t i = 0; i < 4; ++i) {
        AddDotsByLane(vreinterpretq_s8_u8(vtstq_u8(v[r].of[i], bit)), line.of[i], &dots[r].of[i]);
      }
    }
  }
  HW_UNROLL
  for (size_t r = 0; r < kRows; ++r) dots[r] = Sub(Set(int32_t{0}), dots[r]);
}

// clang-format off
#include "kernels/neon/block_factors.inc"
#include "kernels/lanes/planes.inc"
// clang-format on

}  // namespace

#include "kernels/region_end.h"  // what follows runs on every processor

void AddPlaneKernels(KernelSet* set) {
  set->refine = Refine;
  set->rotate = Rotate;
}

}  // namespace headway::kernels::neon::dot

#endif  // defined(__aarch64__)
