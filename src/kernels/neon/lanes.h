#pragma once

// Sixteen lanes in four 128-bit registers, with the names of kernels/avx512/lanes.h. Everything
// here is of the first 64-bit Arm processors; what multiplies codes stands in dots_*.h.

#include <arm_neon.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/compiler.h"
#include "kernels/kernel_set.h"
#include "kernels/noise.h"
#include "tensor/half.h"

namespace headway::kernels::neon {

// Several registers as one: of sixteen lanes, or of eight where more would not fit.
template <class Vector, size_t kCount>
struct Registers {
  Vector of[kCount];
};
// Register i: lanes 4i to 4i + 3.
using Floats = Registers<float32x4_t, 4>;
using Ints = Registers<int32x4_t, 4>;
// All bits of a lane set or none.
struct Mask {
  uint32x4_t of[4];
};

// Of 32 registers, in units of Floats, one vector and one broadcast aside.
inline constexpr int kAccumulators = 6;

// Result{op of the arguments' registers}.
template <class Result, class Op, class... Args>
HW_KERNEL_INLINE Result Each(const Op& op, const Args&... args) {
  if constexpr (std::extent_v<decltype(Result::of)> == 2) {
    return {{op(args.of[0]...), op(args.of[1]...)}};
  } else {
    return {{op(args.of[0]...), op(args.of[1]...), op(args.of[2]...), op(args.of[3]...)}};
  }
}

HW_KERNEL_INLINE uint32x4_t BitsOf(float32x4_t a) { return vreinterpretq_u32_f32(a); }
HW_KERNEL_INLINE uint32x4_t BitsOf(int32x4_t a) { return vreinterpretq_u32_s32(a); }
HW_KERNEL_INLINE float32x4_t FromBits(uint32x4_t a) { return vreinterpretq_f32_u32(a); }

HW_KERNEL_INLINE Floats Set(float value) {
  const float32x4_t four = vdupq_n_f32(value);
  return {{four, four, four, four}};
}
HW_KERNEL_INLINE Ints Set(int32_t value) {
  const int32x4_t four = vdupq_n_s32(value);
  return {{four, four, four, four}};
}
HW_KERNEL_INLINE Floats Load(const float* p) {
  return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
}
HW_KERNEL_INLINE void Store(float* p, Floats a) {
  vst1q_f32(p, a.of[0]);
  vst1q_f32(p + 4, a.of[1]);
  vst1q_f32(p + 8, a.of[2]);
  vst1q_f32(p + 12, a.of[3]);
}
HW_KERNEL_INLINE Floats Widen(uint16x8_t low, uint16x8_t high) {
  const float16x8_t a = vreinterpretq_f16_u16(low);
  const float16x8_t b = vreinterpretq_f16_u16(high);
  return {{vcvt_f32_f16(vget_low_f16(a)), vcvt_high_f32_f16(a), vcvt_f32_f16(vget_low_f16(b)),
           vcvt_high_f32_f16(b)}};
}
HW_KERNEL_INLINE const uint16_t* Words(const F16* p) {
  return reinterpret_cast<const uint16_t*>(p);
}
HW_KERNEL_INLINE Floats Load(const F16* p) {
  return Widen(vld1q_u16(Words(p)), vld1q_u16(Words(p) + 8));
}
HW_KERNEL_INLINE float LoadOne(const F16* p) {
  return vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(p->bits))), 0);
}
HW_KERNEL_INLINE Floats Load(const BF16* p) {
  const uint16x8_t low = vld1q_u16(reinterpret_cast<const uint16_t*>(p));
  const uint16x8_t high = vld1q_u16(reinterpret_cast<const uint16_t*>(p) + 8);
  return {{FromBits(vshll_n_u16(vget_low_u16(low), 16)), FromBits(vshll_high_n_u16(low, 16)),
           FromBits(vshll_n_u16(vget_low_u16(high), 16)), FromBits(vshll_high_n_u16(high, 16))}};
}
// To nearest, ties to even: what the processor starts with.
HW_KERNEL_INLINE void Store(F16* p, Floats a) {
  const float16x8_t low = vcvt_high_f16_f32(vcvt_f16_f32(a.of[0]), a.of[1]);
  const float16x8_t high = vcvt_high_f16_f32(vcvt_f16_f32(a.of[2]), a.of[3]);
  vst1q_u16(reinterpret_cast<uint16_t*>(p), vreinterpretq_u16_f16(low));
  vst1q_u16(reinterpret_cast<uint16_t*>(p) + 8, vreinterpretq_u16_f16(high));
}

HW_KERNEL_INLINE Ints LaneNumbers() {
  alignas(16) static constexpr int32_t kNumbers[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                       8, 9, 10, 11, 12, 13, 14, 15};
  return {{vld1q_s32(kNumbers), vld1q_s32(kNumbers + 4), vld1q_s32(kNumbers + 8),
           vld1q_s32(kNumbers + 12)}};
}
HW_KERNEL_INLINE Mask FirstLanes(int64_t count) {
  const int32x4_t limit = vdupq_n_s32(static_cast<int32_t>(std::min<int64_t>(count, 16)));
  return Each<Mask>([&](int32x4_t lane) { return vcgtq_s32(limit, lane); }, LaneNumbers());
}
HW_KERNEL_INLINE Mask Without(Mask a, Mask b) {
  return Each<Mask>([](uint32x4_t x, uint32x4_t y) { return vbicq_u32(x, y); }, a, b);
}
HW_KERNEL_INLINE Mask And(Mask a, Mask b) {
  return Each<Mask>([](uint32x4_t x, uint32x4_t y) { return vandq_u32(x, y); }, a, b);
}
HW_KERNEL_INLINE bool Any(Mask a) {
  return vmaxvq_u32(vorrq_u32(vorrq_u32(a.of[0], a.of[1]), vorrq_u32(a.of[2], a.of[3]))) != 0;
}
HW_KERNEL_INLINE bool All(Mask a) {
  return vminvq_u32(vandq_u32(vandq_u32(a.of[0], a.of[1]), vandq_u32(a.of[2], a.of[3]))) != 0;
}
HW_KERNEL_INLINE Floats Blend(Mask lanes, Floats yes, Floats no) {
  return Each<Floats>([](uint32x4_t m, float32x4_t x, float32x4_t y) { return vbslq_f32(m, x, y); },
                      lanes, yes, no);
}
HW_KERNEL_INLINE Ints Blend(Mask lanes, Ints yes, Ints no) {
  return Each<Ints>([](uint32x4_t m, int32x4_t x, int32x4_t y) { return vbslq_s32(m, x, y); },
                    lanes, yes, no);
}
// No instruction reads or writes chosen lanes: what is not a whole vector goes lane by lane.
HW_KERNEL_INLINE Floats Load(Mask lanes, const float* p) {
  if (All(lanes)) return Load(p);
  uint32_t chosen[16];
  float values[16] = {};
  for (size_t i = 0; i < 4; ++i) vst1q_u32(chosen + 4 * i, lanes.of[i]);
  for (size_t i = 0; i < 16; ++i)
    if (chosen[i] != 0) values[i] = p[i];
  return Load(values);
}
HW_KERNEL_INLINE void Store(Mask lanes, float* p, Floats a) {
  if (All(lanes)) return Store(p, a);
  uint32_t chosen[16];
  float values[16];
  for (size_t i = 0; i < 4; ++i) vst1q_u32(chosen + 4 * i, lanes.of[i]);
  Store(values, a);
  for (size_t i = 0; i < 16; ++i)
    if (chosen[i] != 0) p[i] = values[i];
}

HW_KERNEL_INLINE Floats Add(Floats a, Floats b) {
  return Each<Floats>([](float32x4_t x, float32x4_t y) { return vaddq_f32(x, y); }, a, b);
}
HW_KERNEL_INLINE Floats Sub(Floats a, Floats b) {
  return Each<Floats>([](float32x4_t x, float32x4_t y) { return vsubq_f32(x, y); }, a, b);
}
HW_KERNEL_INLINE Floats Mul(Floats a, Floats b) {
  return Each<Floats>([](float32x4_t x, float32x4_t y) { return vmulq_f32(x, y); }, a, b);
}
HW_KERNEL_INLINE Floats Div(Floats a, Floats b) {
  return Each<Floats>([](float32x4_t x, float32x4_t y) { return vdivq_f32(x, y); }, a, b);
}
// Fused: the only place, besides products of tiles, that says so.
template <size_t kCount>
HW_KERNEL_INLINE Registers<float32x4_t, kCount> Fma(Registers<float32x4_t, kCount> a,
                                                    Registers<float32x4_t, kCount> b,
                                                    Registers<float32x4_t, kCount> c) {
  return Each<Registers<float32x4_t, kCount>>(
      [](float32x4_t x, float32x4_t y, float32x4_t z) { return vfmaq_f32(z, x, y); }, a, b, c);
}
HW_KERNEL_INLINE Floats Min(Floats a, Floats b) {
  return Each<Floats>([](float32x4_t x, float32x4_t y) { return vminq_f32(x, y); }, a, b);
}
HW_KERNEL_INLINE Floats Max(Floats a, Floats b) {
  return Each<Floats>([](float32x4_t x, float32x4_t y) { return vmaxq_f32(x, y); }, a, b);
}
HW_KERNEL_INLINE Floats Abs(Floats a) {
  return Each<Floats>([](float32x4_t x) { return vabsq_f32(x); }, a);
}
HW_KERNEL_INLINE Floats Negate(Floats a) {
  return Each<Floats>([](float32x4_t x) { return vnegq_f32(x); }, a);
}
HW_KERNEL_INLINE Mask Greater(Floats a, Floats b) {
  return Each<Mask>([](float32x4_t x, float32x4_t y) { return vcgtq_f32(x, y); }, a, b);
}
HW_KERNEL_INLINE Mask Equal(Floats a, Floats b) {
  return Each<Mask>([](float32x4_t x, float32x4_t y) { return vceqq_f32(x, y); }, a, b);
}
// True for NaN.
HW_KERNEL_INLINE Mask NotLess(Floats a, Floats b) {
  return Each<Mask>([](float32x4_t x, float32x4_t y) { return vmvnq_u32(vcltq_f32(x, y)); }, a, b);
}

HW_KERNEL_INLINE Ints Add(Ints a, Ints b) {
  return Each<Ints>([](int32x4_t x, int32x4_t y) { return vaddq_s32(x, y); }, a, b);
}
HW_KERNEL_INLINE Ints Sub(Ints a, Ints b) {
  return Each<Ints>([](int32x4_t x, int32x4_t y) { return vsubq_s32(x, y); }, a, b);
}
HW_KERNEL_INLINE Ints And(Ints a, Ints b) {
  return Each<Ints>([](int32x4_t x, int32x4_t y) { return vandq_s32(x, y); }, a, b);
}
template <int kBits>
HW_KERNEL_INLINE Ints ShiftLeft(Ints a) {
  return Each<Ints>([](int32x4_t x) { return vshlq_n_s32(x, kBits); }, a);
}
template <int kBits>
HW_KERNEL_INLINE Ints ShiftRightSigned(Ints a) {
  return Each<Ints>([](int32x4_t x) { return vshrq_n_s32(x, kBits); }, a);
}
template <int kBits>
HW_KERNEL_INLINE Ints ShiftRight(Ints a) {
  return Each<Ints>(
      [](int32x4_t x) { return vreinterpretq_s32_u32(vshrq_n_u32(BitsOf(x), kBits)); }, a);
}
HW_KERNEL_INLINE Floats BitsToFloats(Ints a) {
  return Each<Floats>([](int32x4_t x) { return vreinterpretq_f32_s32(x); }, a);
}
HW_KERNEL_INLINE Ints FloatsToBits(Floats a) {
  return Each<Ints>([](float32x4_t x) { return vreinterpretq_s32_f32(x); }, a);
}
template <size_t kCount>
HW_KERNEL_INLINE Registers<float32x4_t, kCount> ToFloats(Registers<int32x4_t, kCount> a) {
  return Each<Registers<float32x4_t, kCount>>([](int32x4_t x) { return vcvtq_f32_s32(x); }, a);
}
HW_KERNEL_INLINE Ints ToInts(Floats a) {
  return Each<Ints>([](float32x4_t x) { return vcvtnq_s32_f32(x); }, a);
}
HW_KERNEL_INLINE Ints Truncate(Floats a) {
  return Each<Ints>([](float32x4_t x) { return vcvtq_s32_f32(x); }, a);
}
HW_KERNEL_INLINE Floats Round(Floats a) {
  return Each<Floats>([](float32x4_t x) { return vrndnq_f32(x); }, a);
}

HW_KERNEL_INLINE float LargestLane(Floats a) {
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.of[0], a.of[1]), vmaxq_f32(a.of[2], a.of[3])));
}
HW_KERNEL_INLINE int32_t SumLanes(Ints a) {
  return vaddvq_s32(vaddq_s32(vaddq_s32(a.of[0], a.of[1]), vaddq_s32(a.of[2], a.of[3])));
}
HW_KERNEL_INLINE int32_t SmallestLane(Mask lanes, Ints a) {
  const Ints valid = Blend(lanes, a, Set(INT32_MAX));
  return vminvq_s32(
      vminq_s32(vminq_s32(valid.of[0], valid.of[1]), vminq_s32(valid.of[2], valid.of[3])));
}
HW_KERNEL_INLINE float TreeSum(Floats a) {
  const float32x4_t four = vaddq_f32(vaddq_f32(a.of[0], a.of[2]), vaddq_f32(a.of[1], a.of[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vpadds_f32(two);
}
HW_KERNEL_INLINE int16x8_t LowWords(Ints a) {
  return vcombine_s16(vmovn_s32(a.of[0]), vmovn_s32(a.of[1]));
}
HW_KERNEL_INLINE int16x8_t HighWords(Ints a) {
  return vcombine_s16(vmovn_s32(a.of[2]), vmovn_s32(a.of[3]));
}
HW_KERNEL_INLINE int8x16_t SixteenBytes(Ints a) {
  return vcombine_s8(vmovn_s16(LowWords(a)), vmovn_s16(HighWords(a)));
}
HW_KERNEL_INLINE void StoreBytes(int8_t* p, Ints a) { vst1q_s8(p, SixteenBytes(a)); }
HW_KERNEL_INLINE void StoreBytes(uint8_t* p, Ints a) {
  vst1q_u8(p, vreinterpretq_u8_s8(SixteenBytes(a)));
}
// What is larger becomes the largest.
HW_KERNEL_INLINE void StoreWords(int16_t* p, Ints a) {
  vst1q_s16(p, vqmovn_high_s32(vqmovn_s32(a.of[0]), a.of[1]));
  vst1q_s16(p + 8, vqmovn_high_s32(vqmovn_s32(a.of[2]), a.of[3]));
}
// Signed: 128 is taken off.
HW_KERNEL_INLINE Ints LoadKeyCodes(const std::byte* p) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(p);
  const auto codes = [&](int64_t at) {
    return vreinterpretq_s32_u8(veorq_u8(vld1q_u8(bytes + at), vdupq_n_u8(0x80)));
  };
  return {{codes(0), codes(16), codes(32), codes(48)}};
}
HW_KERNEL_INLINE Ints StartOfKeySum(const ActivationBlock& /*query*/) { return Set(int32_t{0}); }
// Words: the first position's channels 0-7 and 8-15, then the second's.
HW_KERNEL_INLINE Ints LoadBytePairs(const std::byte* p) {
  const int8x16x2_t pair = vld2q_s8(reinterpret_cast<const int8_t*>(p));
  const auto words = [](int16x8_t a) { return vreinterpretq_s32_s16(a); };
  return {{words(vmovl_s8(vget_low_s8(pair.val[0]))), words(vmovl_high_s8(pair.val[0])),
           words(vmovl_s8(vget_low_s8(pair.val[1]))), words(vmovl_high_s8(pair.val[1]))}};
}
HW_KERNEL_INLINE void AddPairProducts(Ints pairs, const int16_t* two, Ints* sum) {
  for (int i = 0; i < 2; ++i) {
    const auto low = vreinterpretq_s16_s32(pairs.of[2 * i]);
    const auto high = vreinterpretq_s16_s32(pairs.of[2 * i + 1]);
    sum->of[0] = vmlal_n_s16(sum->of[0], vget_low_s16(low), two[i]);
    sum->of[1] = vmlal_high_n_s16(sum->of[1], low, two[i]);
    sum->of[2] = vmlal_n_s16(sum->of[2], vget_low_s16(high), two[i]);
    sum->of[3] = vmlal_high_n_s16(sum->of[3], high, two[i]);
  }
}
HW_KERNEL_INLINE Ints MaxUnsigned(Ints a, Ints b) {
  return Each<Ints>(
      [](int32x4_t x, int32x4_t y) {
        return vreinterpretq_s32_u32(vmaxq_u32(BitsOf(x), BitsOf(y)));
      },
      a, b);
}
HW_KERNEL_INLINE uint32_t LargestUnsigned(Ints a) {
  return vmaxvq_u32(vmaxq_u32(vmaxq_u32(BitsOf(a.of[0]), BitsOf(a.of[1])),
                              vmaxq_u32(BitsOf(a.of[2]), BitsOf(a.of[3]))));
}
HW_KERNEL_INLINE Floats SwapPairs(Floats a) {
  return Each<Floats>([](float32x4_t x) { return vrev64q_f32(x); }, a);
}
HW_KERNEL_INLINE Floats LoadTwice(const float* p, int64_t pairs) {
  float some[8] = {};
  if (pairs < 8) {
    std::copy_n(p, pairs, some);
    p = some;
  }
  const float32x4_t low = vld1q_f32(p);
  const float32x4_t high = vld1q_f32(p + 4);
  return {
      {vzip1q_f32(low, low), vzip2q_f32(low, low), vzip1q_f32(high, high), vzip2q_f32(high, high)}};
}
HW_KERNEL_INLINE Ints LoadWords(const uint16_t* p) {
  const uint16x8_t low = vld1q_u16(p);
  const uint16x8_t high = vld1q_u16(p + 8);
  const auto ints = [](uint32x4_t a) { return vreinterpretq_s32_u32(a); };
  return {{ints(vmovl_u16(vget_low_u16(low))), ints(vmovl_high_u16(low)),
           ints(vmovl_u16(vget_low_u16(high))), ints(vmovl_high_u16(high))}};
}
HW_KERNEL_INLINE Floats Sqrt(Floats a) {
  return Each<Floats>([](float32x4_t x) { return vsqrtq_f32(x); }, a);
}
HW_KERNEL_INLINE int64_t StoreChosen(int32_t* p, Mask lanes, int32_t first) {
  if (!Any(lanes)) return 0;
  uint32_t chosen[16];
  for (size_t i = 0; i < 4; ++i) vst1q_u32(chosen + 4 * i, lanes.of[i]);
  int64_t count = 0;
  for (int32_t i = 0; i < 16; ++i)
    if (chosen[i] != 0) p[count++] = first + i;
  return count;
}
HW_KERNEL_INLINE Mask OddLanes() {
  const uint32x4_t odd = vreinterpretq_u32_u64(vdupq_n_u64(0xffffffff00000000U));
  return {{odd, odd, odd, odd}};
}

// The random words of sixteen ids from an even one on (kernels/noise.h).
struct NoiseWords {
  Ints coarse;
  Ints fine;
};

// The lower and upper words of four numbers. Functions, not lambdas: clang 14 crashes on one in a
// region of instructions, for a Mac's target.
HW_KERNEL_INLINE uint32x4_t LowWords(uint64x2_t a, uint64x2_t b) {
  return vuzp1q_u32(vreinterpretq_u32_u64(a), vreinterpretq_u32_u64(b));
}
HW_KERNEL_INLINE uint32x4_t HighWords(uint64x2_t a, uint64x2_t b) {
  return vuzp2q_u32(vreinterpretq_u32_u64(a), vreinterpretq_u32_u64(b));
}

// Words of four counters from `pair` on: of[w], counter i in lane i.
struct PhiloxWords {
  uint32x4_t of[4];
};
HW_KERNEL_INLINE PhiloxWords PhiloxOfFour(uint64_t seed, uint64_t position, uint64_t pair) {
  const uint64x2_t two = vcombine_u64(vcreate_u64(0), vcreate_u64(1));
  const uint64x2_t first = vaddq_u64(vdupq_n_u64(pair), two);
  const uint64x2_t second = vaddq_u64(first, vdupq_n_u64(2));
  PhiloxWords w = {{LowWords(first, second), vdupq_n_u32(static_cast<uint32_t>(position)),
                    vdupq_n_u32(static_cast<uint32_t>(position >> 32)), HighWords(first, second)}};
  auto key0 = static_cast<uint32_t>(seed);
  auto key1 = static_cast<uint32_t>(seed >> 32);
  HW_UNROLL
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const uint32x4_t m0 = vdupq_n_u32(kPhiloxMultiplier[0]);
    const uint32x4_t m1 = vdupq_n_u32(kPhiloxMultiplier[1]);
    const uint64x2_t p0a = vmull_u32(vget_low_u32(w.of[0]), vget_low_u32(m0));
    const uint64x2_t p0b = vmull_high_u32(w.of[0], m0);
    const uint64x2_t p1a = vmull_u32(vget_low_u32(w.of[2]), vget_low_u32(m1));
    const uint64x2_t p1b = vmull_high_u32(w.of[2], m1);
    const uint32x4_t w0 = veorq_u32(veorq_u32(HighWords(p1a, p1b), w.of[1]), vdupq_n_u32(key0));
    const uint32x4_t w2 = veorq_u32(veorq_u32(HighWords(p0a, p0b), w.of[3]), vdupq_n_u32(key1));
    w = {{w0, LowWords(p1a, p1b), w2, LowWords(p0a, p0b)}};
    key0 += kPhiloxWeyl[0];
    key1 += kPhiloxWeyl[1];
  }
  return w;
}

// Words `even` of the counters serve even ids, words `odd` the others.
HW_KERNEL_INLINE Ints InOrderOfIds(const PhiloxWords& a, const PhiloxWords& b, size_t even,
                                   size_t odd) {
  return Ints{{vreinterpretq_s32_u32(vzip1q_u32(a.of[even], a.of[odd])),
               vreinterpretq_s32_u32(vzip2q_u32(a.of[even], a.of[odd])),
               vreinterpretq_s32_u32(vzip1q_u32(b.of[even], b.of[odd])),
               vreinterpretq_s32_u32(vzip2q_u32(b.of[even], b.of[odd]))}};
}

HW_KERNEL_INLINE NoiseWords NoiseWordsOf(uint64_t seed, uint64_t position, uint64_t first_id) {
  const PhiloxWords a = PhiloxOfFour(seed, position, first_id / 2);
  const PhiloxWords b = PhiloxOfFour(seed, position, first_id / 2 + 4);
  // Words 0 and 1 of counter i serve id 2i, words 2 and 3 id 2i + 1.
  return {InOrderOfIds(a, b, 0, 2), InOrderOfIds(a, b, 1, 3)};
}

}  // namespace headway::kernels::neon
