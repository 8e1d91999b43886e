#if defined(__x86_64__)

// Products with float weights: lanes are rows, four sums a token by channel mod 4
// (docs/arithmetic.md). A sum is a chain of fused multiply-adds, so tokens and tiles at once hide
// its latency: four sums times kTokens * kTiles chains.

#include <algorithm>

#include "kernels/cpu/avx2/avx2.h"
#include "kernels/cpu/avx2/lanes.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/cpu/target_avx2_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx2 {
namespace {

HW_KERNEL_INLINE Floats LoadWeights(const float* p) { return Load(p); }
HW_KERNEL_INLINE Floats LoadWeights(const F16* p) { return Load(p); }
HW_KERNEL_INLINE __m256 WidenEight(const BF16* p) {
  const __m128i halves = _mm_load_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
HW_KERNEL_INLINE Floats LoadWeights(const BF16* p) { return {WidenEight(p), WidenEight(p + 8)}; }

#include "kernels/cpu/lanes/product_float.inc"

}  // namespace

#include "kernels/cpu/target_end.h"  // what follows runs on every processor

void AddFloatMatMuls(std::array<MatMulFn, kNumDataTypes>* table) {
  (*table)[static_cast<size_t>(DataType::kF32)] = MatMulFloat<DataType::kF32, float>;
  (*table)[static_cast<size_t>(DataType::kF16)] = MatMulFloat<DataType::kF16, F16>;
  (*table)[static_cast<size_t>(DataType::kBF16)] = MatMulFloat<DataType::kBF16, BF16>;
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
