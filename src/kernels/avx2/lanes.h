#pragma once

// Sixteen lanes in two 256-bit registers, with the names of kernels/avx512/lanes.h.

#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/compiler.h"
#include "kernels/kernel_set.h"
#include "kernels/noise.h"
#include "tensor/half.h"

// clang-format off
#include "kernels/avx2/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx2 {

// Lanes 0-7 and 8-15.
struct Floats {
  __m256 low;
  __m256 high;
};
struct Ints {
  __m256i low;
  __m256i high;
};
// All bits of a lane set or none.
struct Mask {
  __m256i low;
  __m256i high;
};

// Of 16 registers, in units of Floats, one vector and one broadcast aside.
inline constexpr int kAccumulators = 6;

HW_KERNEL_INLINE Floats Set(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
HW_KERNEL_INLINE Ints Set(int32_t value) {
  return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}
HW_KERNEL_INLINE Floats Load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
HW_KERNEL_INLINE void Store(float* p, Floats a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}
HW_KERNEL_INLINE Floats Load(const F16* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
HW_KERNEL_INLINE float LoadOne(const F16* p) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(p->bits)));
}
HW_KERNEL_INLINE __m256 WidenEight(const BF16* p) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
HW_KERNEL_INLINE Floats Load(const BF16* p) { return {WidenEight(p), WidenEight(p + 8)}; }
HW_KERNEL_INLINE void Store(F16* p, Floats a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph(a.low, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                   _mm256_cvtps_ph(a.high, _MM_FROUND_TO_NEAREST_INT));
}

HW_KERNEL_INLINE Ints LaneNumbers() {
  return {_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
          _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15)};
}
HW_KERNEL_INLINE Mask FirstLanes(int64_t count) {
  const __m256i limit = _mm256_set1_epi32(static_cast<int32_t>(std::min<int64_t>(count, 16)));
  const Ints lane = LaneNumbers();
  return {_mm256_cmpgt_epi32(limit, lane.low), _mm256_cmpgt_epi32(limit, lane.high)};
}
HW_KERNEL_INLINE Mask Without(Mask a, Mask b) {
  return {_mm256_andnot_si256(b.low, a.low), _mm256_andnot_si256(b.high, a.high)};
}
HW_KERNEL_INLINE Mask And(Mask a, Mask b) {
  return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}
HW_KERNEL_INLINE bool Any(Mask a) {
  return _mm256_movemask_epi8(_mm256_or_si256(a.low, a.high)) != 0;
}
HW_KERNEL_INLINE Floats Load(Mask lanes, const float* p) {
  return {_mm256_maskload_ps(p, lanes.low), _mm256_maskload_ps(p + 8, lanes.high)};
}
HW_KERNEL_INLINE void Store(Mask lanes, float* p, Floats a) {
  _mm256_maskstore_ps(p, lanes.low, a.low);
  _mm256_maskstore_ps(p + 8, lanes.high, a.high);
}
HW_KERNEL_INLINE Floats Blend(Mask lanes, Floats yes, Floats no) {
  return {_mm256_blendv_ps(no.low, yes.low, _mm256_castsi256_ps(lanes.low)),
          _mm256_blendv_ps(no.high, yes.high, _mm256_castsi256_ps(lanes.high))};
}
HW_KERNEL_INLINE Ints Blend(Mask lanes, Ints yes, Ints no) {
  return {_mm256_blendv_epi8(no.low, yes.low, lanes.low),
          _mm256_blendv_epi8(no.high, yes.high, lanes.high)};
}

HW_KERNEL_INLINE Floats Add(Floats a, Floats b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
HW_KERNEL_INLINE Floats Sub(Floats a, Floats b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
HW_KERNEL_INLINE Floats Mul(Floats a, Floats b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
HW_KERNEL_INLINE Floats Div(Floats a, Floats b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
HW_KERNEL_INLINE Floats Fma(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
HW_KERNEL_INLINE Floats Min(Floats a, Floats b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
HW_KERNEL_INLINE Floats Max(Floats a, Floats b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
HW_KERNEL_INLINE Floats Abs(Floats a) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
HW_KERNEL_INLINE Floats Negate(Floats a) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  return {_mm256_xor_ps(a.low, sign), _mm256_xor_ps(a.high, sign)};
}
HW_KERNEL_INLINE Mask Greater(Floats a, Floats b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.low, b.low, _CMP_GT_OQ)),
          _mm256_castps_si256(_mm256_cmp_ps(a.high, b.high, _CMP_GT_OQ))};
}
HW_KERNEL_INLINE Mask Equal(Floats a, Floats b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.low, b.low, _CMP_EQ_OQ)),
          _mm256_castps_si256(_mm256_cmp_ps(a.high, b.high, _CMP_EQ_OQ))};
}
HW_KERNEL_INLINE Mask NotLess(Floats a, Floats b) {
  return {_mm256_castps_si256(_mm256_cmp_ps(a.low, b.low, _CMP_NLT_UQ)),
          _mm256_castps_si256(_mm256_cmp_ps(a.high, b.high, _CMP_NLT_UQ))};
}

HW_KERNEL_INLINE Ints Add(Ints a, Ints b) {
  return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}
HW_KERNEL_INLINE Ints Sub(Ints a, Ints b) {
  return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
}
HW_KERNEL_INLINE Ints And(Ints a, Ints b) {
  return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}
template <int kBits>
HW_KERNEL_INLINE Ints ShiftLeft(Ints a) {
  return {_mm256_slli_epi32(a.low, kBits), _mm256_slli_epi32(a.high, kBits)};
}
template <int kBits>
HW_KERNEL_INLINE Ints ShiftRightSigned(Ints a) {
  return {_mm256_srai_epi32(a.low, kBits), _mm256_srai_epi32(a.high, kBits)};
}
template <int kBits>
HW_KERNEL_INLINE Ints ShiftRight(Ints a) {
  return {_mm256_srli_epi32(a.low, kBits), _mm256_srli_epi32(a.high, kBits)};
}
HW_KERNEL_INLINE Floats BitsToFloats(Ints a) {
  return {_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)};
}
HW_KERNEL_INLINE Ints FloatsToBits(Floats a) {
  return {_mm256_castps_si256(a.low), _mm256_castps_si256(a.high)};
}
HW_KERNEL_INLINE Floats ToFloats(Ints a) {
  return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
}
HW_KERNEL_INLINE Ints ToInts(Floats a) {
  return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)};
}
HW_KERNEL_INLINE Ints Truncate(Floats a) {
  return {_mm256_cvttps_epi32(a.low), _mm256_cvttps_epi32(a.high)};
}
HW_KERNEL_INLINE Floats Round(Floats a) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, kNearest), _mm256_round_ps(a.high, kNearest)};
}

HW_KERNEL_INLINE float LargestLane(Floats a) {
  const __m256 eight = _mm256_max_ps(a.low, a.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}
HW_KERNEL_INLINE int32_t SumLanes(Ints a) {
  const __m256i eight = _mm256_add_epi32(a.low, a.high);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}
HW_KERNEL_INLINE int32_t SmallestLane(Mask lanes, Ints a) {
  const Ints valid = Blend(lanes, a, Set(INT32_MAX));
  const __m256i eight = _mm256_min_epi32(valid.low, valid.high);
  __m128i four = _mm_min_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_min_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_min_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}
HW_KERNEL_INLINE float TreeSum(Floats a) {
  const __m256 eight = _mm256_add_ps(a.low, a.high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
}
// Packing works inside 128-bit halves: words 0-3 8-11 4-7 12-15.
HW_KERNEL_INLINE __m256i SixteenWords(Ints a) {
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xd8);
}
HW_KERNEL_INLINE void StoreBytes(int8_t* p, Ints a) {
  const __m256i words = SixteenWords(a);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
HW_KERNEL_INLINE void StoreBytes(uint8_t* p, Ints a) {
  const __m256i words = SixteenWords(a);
  const __m128i bytes =
      _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
HW_KERNEL_INLINE Ints LoadBytes(const int8_t* p) {
  return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8)))};
}
// Signed here: no pair of products saturates (at most 2 * 127 * 127).
HW_KERNEL_INLINE Ints LoadKeyCodes(const std::byte* p) {
  const __m256i bias = _mm256_set1_epi8(-128);
  const auto* codes = reinterpret_cast<const __m256i*>(p);
  return {_mm256_xor_si256(_mm256_loadu_si256(codes), bias),
          _mm256_xor_si256(_mm256_loadu_si256(codes + 1), bias)};
}
HW_KERNEL_INLINE Ints StartOfKeySum(const ActivationBlock& /*query*/) { return Set(int32_t{0}); }
HW_KERNEL_INLINE __m256i KeyProducts(__m256i codes, __m256i group) {
  const __m256i pairs =
      _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(group, codes));
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
HW_KERNEL_INLINE void AddKeyProducts(Ints codes, const int8_t* four, Ints* sum) {
  int32_t channels;
  __builtin_memcpy(&channels, four, sizeof channels);
  const __m256i group = _mm256_set1_epi32(channels);
  *sum = Add(*sum, {KeyProducts(codes.low, group), KeyProducts(codes.high, group)});
}
HW_KERNEL_INLINE Ints LoadBytePairs(const std::byte* p) {
  const auto* eight = reinterpret_cast<const __m128i*>(p);
  return {_mm256_cvtepi8_epi16(_mm_loadu_si128(eight)),
          _mm256_cvtepi8_epi16(_mm_loadu_si128(eight + 1))};
}
HW_KERNEL_INLINE void AddPairProducts(Ints pairs, const int16_t* two, Ints* sum) {
  int32_t pair;
  __builtin_memcpy(&pair, two, sizeof pair);
  const __m256i weights = _mm256_set1_epi32(pair);
  *sum = Add(*sum, {_mm256_madd_epi16(pairs.low, weights), _mm256_madd_epi16(pairs.high, weights)});
}
HW_KERNEL_INLINE void StoreWords(int16_t* p, Ints a) {
  // Packing works inside 128-bit halves: words 0-3 8-11 4-7 12-15.
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xd8));
}
HW_KERNEL_INLINE Ints MaxUnsigned(Ints a, Ints b) {
  return {_mm256_max_epu32(a.low, b.low), _mm256_max_epu32(a.high, b.high)};
}
HW_KERNEL_INLINE uint32_t LargestUnsigned(Ints a) {
  const __m256i eight = _mm256_max_epu32(a.low, a.high);
  __m128i four = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
  return static_cast<uint32_t>(
      _mm_cvtsi128_si32(_mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1))));
}
HW_KERNEL_INLINE Floats SwapPairs(Floats a) {
  return {_mm256_permute_ps(a.low, 0xb1), _mm256_permute_ps(a.high, 0xb1)};
}
HW_KERNEL_INLINE Floats LoadTwice(const float* p, int64_t pairs) {
  const __m256 eight = _mm256_maskload_ps(p, FirstLanes(pairs).low);
  return {_mm256_permutevar8x32_ps(eight, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
          _mm256_permutevar8x32_ps(eight, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
}
HW_KERNEL_INLINE Ints LoadWords(const uint16_t* p) {
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
HW_KERNEL_INLINE Floats Sqrt(Floats a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }
HW_KERNEL_INLINE int64_t StoreChosen(int32_t* p, Mask lanes, int32_t first) {
  auto bits = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes.low))) |
              static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes.high))) << 8;
  int64_t count = 0;
  for (; bits != 0; bits &= bits - 1) p[count++] = first + __builtin_ctz(bits);
  return count;
}
HW_KERNEL_INLINE Mask OddLanes() {
  const __m256i odd = _mm256_set1_epi64x(static_cast<int64_t>(0xffffffff00000000U));
  return {odd, odd};
}

// The random words of four counters, which serve eight ids from an even one on.
struct NoiseWordsOfEight {
  __m256i coarse;
  __m256i fine;
};

HW_KERNEL_INLINE NoiseWordsOfEight NoiseOfEight(uint64_t seed, uint64_t position,
                                                uint64_t first_id) {
  const __m256i pair = _mm256_add_epi64(_mm256_set1_epi64x(static_cast<int64_t>(first_id / 2)),
                                        _mm256_setr_epi64x(0, 1, 2, 3));
  __m256i w0 = pair;
  __m256i w1 = _mm256_set1_epi64x(static_cast<int64_t>(position & 0xffffffffU));
  __m256i w2 = _mm256_set1_epi64x(static_cast<int64_t>(position >> 32));
  __m256i w3 = _mm256_srli_epi64(pair, 32);
  auto key0 = static_cast<uint32_t>(seed);
  auto key1 = static_cast<uint32_t>(seed >> 32);
  HW_UNROLL
  for (int round = 0; round < kPhiloxRounds; ++round) {  // only low halves of 64-bit lanes count
    const __m256i p0 = _mm256_mul_epu32(w0, _mm256_set1_epi64x(kPhiloxMultiplier[0]));
    const __m256i p1 = _mm256_mul_epu32(w2, _mm256_set1_epi64x(kPhiloxMultiplier[1]));
    const __m256i k0 = _mm256_set1_epi64x(key0);
    const __m256i k1 = _mm256_set1_epi64x(key1);
    w0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), w1), k0);
    w1 = p1;
    w2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), w3), k1);
    w3 = p0;
    key0 += kPhiloxWeyl[0];
    key1 += kPhiloxWeyl[1];
  }
  const __m256i coarse = _mm256_blend_epi32(w0, _mm256_slli_epi64(w2, 32), 0xaa);
  const __m256i fine = _mm256_blend_epi32(w1, _mm256_slli_epi64(w3, 32), 0xaa);
  return {coarse, fine};
}

struct NoiseWords {
  Ints coarse;
  Ints fine;
};

HW_KERNEL_INLINE NoiseWords NoiseWordsOf(uint64_t seed, uint64_t position, uint64_t first_id) {
  const NoiseWordsOfEight low = NoiseOfEight(seed, position, first_id);
  const NoiseWordsOfEight high = NoiseOfEight(seed, position, first_id + 8);
  return {{low.coarse, high.coarse}, {low.fine, high.fine}};
}

}  // namespace headway::kernels::avx2

#include "kernels/region_end.h"
