#if defined(__x86_64__)

// Products with float weights: lanes are rows, four sums a token by channel mod 4
// (docs/arithmetic.md). A sum is a chain of fused multiply-adds, so tokens and tiles at once hide
// its latency: four sums times kTokens * kTiles chains.

#include <algorithm>

#include "kernels/cpu/avx512/avx512.h"
#include "kernels/cpu/avx512/lanes.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/cpu/target_avx512_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {
namespace {

HW_KERNEL_INLINE Floats LoadWeights(const float* p) { return _mm512_load_ps(p); }
HW_KERNEL_INLINE Floats LoadWeights(const F16* p) { return Load(p); }
HW_KERNEL_INLINE Floats LoadWeights(const BF16* p) {
  const __m256i halves = _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

#include "kernels/cpu/lanes/product_float.inc"

}  // namespace

#include "kernels/cpu/target_end.h"  // what follows runs on every processor

void AddFloatMatMuls(std::array<MatMulFn, kNumDataTypes>* table) {
  (*table)[static_cast<size_t>(DataType::kF32)] = MatMulFloat<DataType::kF32, float>;
  (*table)[static_cast<size_t>(DataType::kF16)] = MatMulFloat<DataType::kF16, F16>;
  (*table)[static_cast<size_t>(DataType::kBF16)] = MatMulFloat<DataType::kBF16, BF16>;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
