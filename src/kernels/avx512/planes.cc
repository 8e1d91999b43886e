#if defined(__x86_64__)

// Refinement and rotation of the certified head, and what they need of a hidden state.

#include <algorithm>
#include <cmath>

#include "kernels/avx512/lanes.h"
#include "kernels/avx512/set.h"
#include "kernels/plane_kernels.h"

// clang-format off
#include "kernels/avx512/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {
namespace {

// Two rows share the loads of activations.
inline constexpr size_t kRefineAtOnce = 2;

template <size_t kRows>
HW_KERNEL_INLINE void DotBits(const std::byte* const* bits, const int8_t* q, Ints* dots) {
  const __m512i one = _mm512_set1_epi8(1);
  __m512i v[kRows];
  HW_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    v[r] = _mm512_loadu_si512(bits[r]);
    // Or the compiler loads it again as an operand of every shift, and loads are what runs out.
    asm("" : "+v"(v[r]));
    dots[r] = _mm512_setzero_si512();
  }
  HW_UNROLL
  for (int64_t f = 0; f < 8; ++f) {
    const __m512i line = _mm512_load_si512(q + 64 * f);
    HW_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
      dots[r] = _mm512_dpbusd_epi32(dots[r], _mm512_and_si512(v[r], one), line);
      v[r] = _mm512_srli_epi16(v[r], 1);
    }
  }
}

class BlockFactors {
 public:
  HW_KERNEL_INLINE BlockFactors(Floats low, Floats high) : low_(low), high_(high) {}
  HW_KERNEL_INLINE Floats OfVector(const int32_t* blocks) const {
    return _mm512_permutex2var_ps(low_, _mm512_load_si512(blocks), high_);
  }

 private:
  Floats low_;
  Floats high_;
};

// clang-format off
#include "kernels/lanes/plane_state.inc"
#include "kernels/lanes/planes.inc"
// clang-format on

}  // namespace

#include "kernels/region_end.h"  // what follows runs on every processor

void AddPlaneKernels(KernelSet* set) {
  set->build_sign_tables = BuildSignTables;
  set->quantise_for_refinement = QuantiseForRefinement;
  set->refine = Refine;
  set->rotate = Rotate;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
