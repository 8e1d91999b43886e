#if defined(__x86_64__)

// The screen with byte permutations of 64 entries (AVX512_VBMI): one looks up a group of six
// channels for 64 rows, and ignores the upper two bits of every index by itself.

#include <algorithm>
#include <cmath>

#include "kernels/avx512/lanes.h"
#include "kernels/avx512/set.h"
#include "kernels/plane_kernels.h"

// clang-format off
#include "kernels/avx512/region_vbmi_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {
namespace {

// Sixty-four entries by the lower six bits of every index. With several tokens the table is an
// operand in memory: from an intrinsic g++ 12 makes a load and keeps it for the next strip, and has
// no registers left for sums. A single token has them, and four strips to share the load.
template <size_t kTokens>
HW_KERNEL_INLINE __m512i LookUp(__m512i indices, const uint8_t* table) {
  if constexpr (kTokens == 1) {
    return _mm512_permutexvar_epi8(indices, _mm512_load_si512(table));
  }
  __m512i entries;
  asm("vpermb %2, %1, %0"
      : "=v"(entries)
      : "v"(indices), "m"(*reinterpret_cast<const __m512i*>(table)));
  return entries;
}

// Sums of bytes without unpacking them: `all` gets every word, `odd` the upper bytes; what is left
// of `all` after 256 * odd, modulo 2^16, is the sum of the lower bytes.
struct SplitSums {
  __m512i all;
  __m512i odd;

  // Two groups of a pair: their bytes do not overflow (kSignRange).
  HW_KERNEL_INLINE void Add(__m512i first, __m512i second) {
    const __m512i entries = _mm512_add_epi8(first, second);
    all = _mm512_add_epi16(all, entries);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(entries, 8));
    asm("" : "+v"(all), "+v"(odd));  // or sums become trees, and their nodes leave the registers
  }

  // Rows ascending.
  HW_KERNEL_INLINE void Store(uint16_t* sums) const {
    const __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
    const __m512i low = _mm512_unpacklo_epi16(even, odd);   // rows 0-7, 16-23, 32-39, 48-55
    const __m512i high = _mm512_unpackhi_epi16(even, odd);  // rows 8-15, 24-31, ...
    const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    _mm512_store_si512(sums, _mm512_permutex2var_epi64(low, first, high));
    _mm512_store_si512(sums + 32, _mm512_permutex2var_epi64(low, second, high));
  }
};

// One strip's bytes of a unit as four vectors of indices.
struct UnitIndices {
  __m512i of[4];

  HW_KERNEL_INLINE explicit UnitIndices(const std::byte* strip) {
    of[0] = _mm512_load_si512(strip);
    of[1] = _mm512_load_si512(strip + 64);
    of[2] = _mm512_load_si512(strip + 128);
    // Or the compiler loads them again as operands of the shifts: slower from memory by 20 %.
    asm("" : "+v"(of[0]), "+v"(of[1]), "+v"(of[2]));
    // Bits 6, 7 of the three bytes become bits 0-1, 2-3, 4-5; 0xca selects b where a, else c.
    const __m512i low = _mm512_ternarylogic_epi32(
        _mm512_set1_epi8(0x03), _mm512_srli_epi16(of[0], 6), _mm512_srli_epi16(of[1], 4), 0xca);
    of[3] =
        _mm512_ternarylogic_epi32(_mm512_set1_epi8(0x0f), low, _mm512_srli_epi16(of[2], 2), 0xca);
  }
};

// One block of kStrips strips for kTokens tokens, all sums in registers. With one token a table's
// vectors serve four strips, with four tokens a strip's indices serve them all.
template <size_t kTokens, size_t kStrips, bool kPrefetch>
HW_KERNEL_INLINE void Accumulate(const std::byte* units, int64_t num_units,
                                 const uint8_t* const* tables, uint16_t* const* sums,
                                 size_t first_strip) {
  SplitSums acc[kTokens][kStrips];
  HW_UNROLL
  for (auto& token : acc) {
    HW_UNROLL
    for (SplitSums& strip : token) strip = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  }
  const std::byte* p = units + static_cast<int64_t>(first_strip) * kSignStripBytes;
  for (int64_t u = 0; u < num_units; ++u, p += kSignUnitBytes) {
    if constexpr (kPrefetch) {
      // The same strips of the next band, into the second-level cache: 13.8 instead of 9.4 GB/s
      // with four tokens. A single token leaves it to the processor, which is faster then.
      HW_UNROLL
      for (size_t line = 0; line < 3 * kStrips; ++line) {
        __builtin_prefetch(p + num_units * kSignUnitBytes + 64 * line, 0, 2);
      }
    }
    HW_UNROLL
    for (size_t strip = 0; strip < kStrips; ++strip) {
      const UnitIndices indices(p + static_cast<int64_t>(strip) * kSignStripBytes);
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        const uint8_t* table = tables[t] + u * kSignUnitGroups * kSignTableEntries;
        HW_UNROLL
        for (size_t g = 0; g < 4; g += 2) {
          acc[t][strip].Add(LookUp<kTokens>(indices.of[g], table + 64 * g),
                            LookUp<kTokens>(indices.of[g + 1], table + 64 * g + 64));
        }
      }
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    HW_UNROLL
    for (size_t strip = 0; strip < kStrips; ++strip) {
      acc[t][strip].Store(sums[t] + (first_strip + strip) * kSignStripRows);
    }
  }
}

// All strips of a band for up to four tokens. Not inlined: the compiler gives up on keeping the
// sums of a large function in registers.
template <size_t kTokens, bool kPrefetch>
[[gnu::noinline]] void AccumulateTokens(const std::byte* units, int64_t num_units,
                                        const uint8_t* const* tables, uint16_t* const* sums) {
  constexpr size_t kAtOnce = kTokens <= 2 ? 4 : 2;
  for (size_t strip = 0; strip < kSignStrips; strip += kAtOnce) {
    Accumulate<kTokens, kAtOnce, kPrefetch>(units, num_units, tables, sums, strip);
  }
}

// Four tokens at a time; the last of several groups fetches ahead.
HW_KERNEL_INLINE void AccumulateBand(const std::byte* units, int64_t num_units,
                                     const uint8_t* const* tables, int64_t num_tokens,
                                     uint16_t* const* sums) {
  if (num_tokens == 1) return AccumulateTokens<1, false>(units, num_units, tables, sums);
  int64_t t = 0;
  for (; t + 4 < num_tokens; t += 4) {
    AccumulateTokens<4, false>(units, num_units, tables + t, sums + t);
  }
  const int64_t rest = num_tokens - t;
  if (rest == 1) AccumulateTokens<1, true>(units, num_units, tables + t, sums + t);
  if (rest == 2) AccumulateTokens<2, true>(units, num_units, tables + t, sums + t);
  if (rest == 3) AccumulateTokens<3, true>(units, num_units, tables + t, sums + t);
  if (rest == 4) AccumulateTokens<4, true>(units, num_units, tables + t, sums + t);
}

// clang-format off
#include "kernels/lanes/best.inc"
#include "kernels/lanes/screen.inc"
// clang-format on

}  // namespace

#include "kernels/region_end.h"  // what follows runs on every processor

void AddScreen(KernelSet* set) {
  if (__builtin_cpu_supports("avx512vbmi")) set->screen = Screen;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
