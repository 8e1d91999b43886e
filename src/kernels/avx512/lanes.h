#pragma once

// Sixteen lanes in one 512-bit register: the vocabulary of kernels/lanes/*.inc. The same names
// exist in kernels/avx2/lanes.h; every function is the IEEE operation of its name on each lane.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/compiler.h"
#include "kernels/kernel_set.h"
#include "kernels/noise.h"
#include "tensor/half.h"

// clang-format off
#include "kernels/avx512/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {

using Floats = __m512;
using Ints = __m512i;
using Mask = __mmask16;

// Registers: accumulators that a kernel may hold, in units of Floats.
inline constexpr int kAccumulators = 24;

HW_KERNEL_INLINE Floats Set(float value) { return _mm512_set1_ps(value); }
HW_KERNEL_INLINE Ints Set(int32_t value) { return _mm512_set1_epi32(value); }
HW_KERNEL_INLINE Floats Load(const float* p) { return _mm512_loadu_ps(p); }
HW_KERNEL_INLINE void Store(float* p, Floats a) { _mm512_storeu_ps(p, a); }
HW_KERNEL_INLINE Floats Load(const F16* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
HW_KERNEL_INLINE float LoadOne(const F16* p) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(p->bits)));
}
HW_KERNEL_INLINE Floats Load(const BF16* p) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
HW_KERNEL_INLINE void Store(F16* p, Floats a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

// The first `count` lanes, count >= 0; 16 and more means all.
HW_KERNEL_INLINE Mask FirstLanes(int64_t count) {
  return static_cast<Mask>(count >= 16 ? 0xffffU : (1U << count) - 1U);
}
HW_KERNEL_INLINE Mask Without(Mask a, Mask b) { return static_cast<Mask>(a & ~b); }
HW_KERNEL_INLINE bool Any(Mask a) { return a != 0; }
// Other lanes are +0 and are not read.
HW_KERNEL_INLINE Floats Load(Mask lanes, const float* p) { return _mm512_maskz_loadu_ps(lanes, p); }
// Other lanes are not written.
HW_KERNEL_INLINE void Store(Mask lanes, float* p, Floats a) { _mm512_mask_storeu_ps(p, lanes, a); }
HW_KERNEL_INLINE Floats Blend(Mask lanes, Floats yes, Floats no) {
  return _mm512_mask_blend_ps(lanes, no, yes);
}
HW_KERNEL_INLINE Ints Blend(Mask lanes, Ints yes, Ints no) {
  return _mm512_mask_blend_epi32(lanes, no, yes);
}

HW_KERNEL_INLINE Floats Add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
HW_KERNEL_INLINE Floats Sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
HW_KERNEL_INLINE Floats Mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
HW_KERNEL_INLINE Floats Div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
HW_KERNEL_INLINE Floats Fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
HW_KERNEL_INLINE Floats Min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
HW_KERNEL_INLINE Floats Max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
HW_KERNEL_INLINE Floats Abs(Floats a) { return _mm512_abs_ps(a); }
HW_KERNEL_INLINE Floats Negate(Floats a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0F)); }
HW_KERNEL_INLINE Mask Greater(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
HW_KERNEL_INLINE Mask Equal(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
HW_KERNEL_INLINE Mask NotLess(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ); }
HW_KERNEL_INLINE Mask And(Mask a, Mask b) { return static_cast<Mask>(a & b); }

HW_KERNEL_INLINE Ints Add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
HW_KERNEL_INLINE Ints Sub(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
HW_KERNEL_INLINE Ints And(Ints a, Ints b) { return _mm512_and_si512(a, b); }
template <unsigned kBits>
HW_KERNEL_INLINE Ints ShiftLeft(Ints a) {
  return _mm512_slli_epi32(a, kBits);
}
template <unsigned kBits>
HW_KERNEL_INLINE Ints ShiftRightSigned(Ints a) {
  return _mm512_srai_epi32(a, kBits);
}
template <unsigned kBits>
HW_KERNEL_INLINE Ints ShiftRight(Ints a) {
  return _mm512_srli_epi32(a, kBits);
}
HW_KERNEL_INLINE Floats BitsToFloats(Ints a) { return _mm512_castsi512_ps(a); }
HW_KERNEL_INLINE Ints FloatsToBits(Floats a) { return _mm512_castps_si512(a); }
HW_KERNEL_INLINE Floats ToFloats(Ints a) { return _mm512_cvtepi32_ps(a); }
// Nearest, ties to even.
HW_KERNEL_INLINE Ints ToInts(Floats a) { return _mm512_cvtps_epi32(a); }
// Towards zero.
HW_KERNEL_INLINE Ints Truncate(Floats a) { return _mm512_cvttps_epi32(a); }
HW_KERNEL_INLINE Floats Round(Floats a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

HW_KERNEL_INLINE Ints LaneNumbers() {
  return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
HW_KERNEL_INLINE float LargestLane(Floats a) { return _mm512_reduce_max_ps(a); }
HW_KERNEL_INLINE int32_t SumLanes(Ints a) { return _mm512_reduce_add_epi32(a); }
// The smallest of the lanes of a mask that is not empty.
HW_KERNEL_INLINE int32_t SmallestLane(Mask lanes, Ints a) {
  return _mm512_mask_reduce_min_epi32(lanes, a);
}
// The tree of docs/arithmetic.md over sixteen partial sums.
HW_KERNEL_INLINE float TreeSum(Floats a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
}
// Values in [-128, 127].
HW_KERNEL_INLINE void StoreBytes(int8_t* p, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a));
}
// Values in [0, 255].
HW_KERNEL_INLINE void StoreBytes(uint8_t* p, Ints a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a));
}
// Sixteen signed bytes.
HW_KERNEL_INLINE Ints LoadBytes(const int8_t* p) {
  return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// Products of key codes and a quantised query (kernels/kv_layout.h): four channels of sixteen
// positions, stored with 128 added. Sums start where the 128s cancel.
HW_KERNEL_INLINE Ints LoadKeyCodes(const std::byte* p) { return _mm512_loadu_si512(p); }
HW_KERNEL_INLINE Ints StartOfKeySum(const ActivationBlock& query) { return Set(query.offset_q8); }
HW_KERNEL_INLINE void AddKeyProducts(Ints codes, const int8_t* four, Ints* sum) {
  int32_t group;
  __builtin_memcpy(&group, four, sizeof group);
  *sum = _mm512_dpbusd_epi32(*sum, codes, _mm512_set1_epi32(group));
}
// Products of value codes and weights: two positions of sixteen channels.
HW_KERNEL_INLINE Ints LoadBytePairs(const std::byte* p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
HW_KERNEL_INLINE void AddPairProducts(Ints pairs, const int16_t* two, Ints* sum) {
  // The intrinsic makes g++ 12 copy every sum before it adds to it: half the speed.
  asm("vpdpwssd %2%{1to16%}, %1, %0"
      : "+v"(*sum)
      : "v"(pairs), "m"(*reinterpret_cast<const int32_t*>(two)));
}
// Sixteen signed words; what is larger becomes the largest.
HW_KERNEL_INLINE void StoreWords(int16_t* p, Ints a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(a));
}
HW_KERNEL_INLINE Ints MaxUnsigned(Ints a, Ints b) { return _mm512_max_epu32(a, b); }
HW_KERNEL_INLINE uint32_t LargestUnsigned(Ints a) { return _mm512_reduce_max_epu32(a); }
// Lanes 2i and 2i + 1 change places.
HW_KERNEL_INLINE Floats SwapPairs(Floats a) { return _mm512_permute_ps(a, 0xb1); }
// Lanes 2i and 2i + 1 are p[i], for the first `pairs` of eight.
HW_KERNEL_INLINE Floats LoadTwice(const float* p, int64_t pairs) {
  const __m512 low = _mm512_maskz_loadu_ps(FirstLanes(pairs), p);
  return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7),
                               low);
}
// Sixteen unsigned words.
HW_KERNEL_INLINE Ints LoadWords(const uint16_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
HW_KERNEL_INLINE Floats Sqrt(Floats a) { return _mm512_sqrt_ps(a); }
// Writes first + l for every lane l of the mask, ascending; returns how many. p has room for 16.
HW_KERNEL_INLINE int64_t StoreChosen(int32_t* p, Mask lanes, int32_t first) {
  _mm512_storeu_si512(p, _mm512_maskz_compress_epi32(lanes, Add(LaneNumbers(), Set(first))));
  return __builtin_popcount(lanes);
}
HW_KERNEL_INLINE Mask OddLanes() { return 0xaaaa; }

// The random words of sixteen ids from an even one on (kernels/noise.h).
struct NoiseWords {
  Ints coarse;
  Ints fine;
};

HW_KERNEL_INLINE NoiseWords NoiseWordsOf(uint64_t seed, uint64_t position, uint64_t first_id) {
  // One counter a 64-bit lane. Only low halves count: _mm512_mul_epu32 reads nothing else.
  const __m512i pair = _mm512_add_epi64(_mm512_set1_epi64(static_cast<int64_t>(first_id / 2)),
                                        _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7));
  __m512i w0 = pair;
  __m512i w1 = _mm512_set1_epi64(static_cast<int64_t>(position & 0xffffffffU));
  __m512i w2 = _mm512_set1_epi64(static_cast<int64_t>(position >> 32));
  __m512i w3 = _mm512_srli_epi64(pair, 32);
  auto key0 = static_cast<uint32_t>(seed);
  auto key1 = static_cast<uint32_t>(seed >> 32);
  HW_UNROLL
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const __m512i p0 = _mm512_mul_epu32(w0, _mm512_set1_epi64(kPhiloxMultiplier[0]));
    const __m512i p1 = _mm512_mul_epu32(w2, _mm512_set1_epi64(kPhiloxMultiplier[1]));
    w0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), w1, _mm512_set1_epi64(key0), 0x96);
    w1 = p1;
    w2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), w3, _mm512_set1_epi64(key1), 0x96);
    w3 = p0;
    key0 += kPhiloxWeyl[0];
    key1 += kPhiloxWeyl[1];
  }
  // Words 0 and 1 of counter i serve id 2i, words 2 and 3 id 2i + 1.
  const __m512i coarse = _mm512_mask_blend_epi32(0xaaaa, w0, _mm512_slli_epi64(w2, 32));
  const __m512i fine = _mm512_mask_blend_epi32(0xaaaa, w1, _mm512_slli_epi64(w3, 32));
  return {coarse, fine};
}

}  // namespace headway::kernels::avx512

#include "kernels/region_end.h"
