#if defined(__x86_64__)

// Refinement and rotation of the certified head.

#include <algorithm>
#include <cmath>

#include "kernels/cpu/avx512/lanes.h"
#include "kernels/cpu/parts.h"
#include "kernels/plane_kernels.h"

// clang-format off
#include "kernels/cpu/target_avx512_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {
namespace {

HW_KERNEL_INLINE Ints DotCodes(const std::byte* codes, const int8_t* q) {
  const __m512i v = _mm512_load_si512(codes);
  const __m512i mask = _mm512_set1_epi8(3);
  const __m512i zero = _mm512_setzero_si512();
  const auto line = [&](int64_t f) { return _mm512_load_si512(q + 64 * f); };
  const __m512i even =
      _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(zero, _mm512_and_si512(v, mask), line(0)),
                          _mm512_and_si512(_mm512_srli_epi16(v, 4), mask), line(2));
  const __m512i odd = _mm512_dpbusd_epi32(
      _mm512_dpbusd_epi32(zero, _mm512_and_si512(_mm512_srli_epi16(v, 2), mask), line(1)),
      _mm512_and_si512(_mm512_srli_epi16(v, 6), mask), line(3));
  return _mm512_add_epi32(even, odd);
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
#include "kernels/cpu/lanes/planes.inc"
// clang-format on

}  // namespace

#include "kernels/cpu/target_end.h"  // what follows runs on every processor

void AddPlaneKernels(KernelSet* set) {
  set->refine = Refine;
  set->rotate = Rotate;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
