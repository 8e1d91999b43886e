#if defined(__x86_64__)

// The certified head's kernels without AVX-512: the screen looks up groups of six channels in four
// tables of 16 entries.

#include <algorithm>
#include <cmath>

#include "kernels/avx2/lanes.h"
#include "kernels/avx2/set.h"
#include "kernels/plane_kernels.h"

// clang-format off
#include "kernels/avx2/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx2 {
namespace {

HW_KERNEL_INLINE __m256i LoadBytes(const void* p) {
  return _mm256_load_si256(static_cast<const __m256i*>(p));
}

// Half a vector: eight lanes. Products of a bit and an activation are at most 127; sixteen fit 16
// bits.
HW_KERNEL_INLINE __m256i DotHalf(const std::byte* bits, const int8_t* q) {
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bits));
  const __m256i one = _mm256_set1_epi8(1);
  const auto product = [&](__m256i shifted, int64_t f) {
    return _mm256_maddubs_epi16(_mm256_and_si256(shifted, one), LoadBytes(q + 64 * f));
  };
  const auto pair = [&](__m256i first, __m256i second, int64_t f) {
    return _mm256_add_epi16(product(first, f), product(second, f + 1));
  };
  const __m256i low = _mm256_add_epi16(pair(v, _mm256_srli_epi16(v, 1), 0),
                                       pair(_mm256_srli_epi16(v, 2), _mm256_srli_epi16(v, 3), 2));
  const __m256i high = _mm256_add_epi16(pair(_mm256_srli_epi16(v, 4), _mm256_srli_epi16(v, 5), 4),
                                        pair(_mm256_srli_epi16(v, 6), _mm256_srli_epi16(v, 7), 6));
  return _mm256_madd_epi16(_mm256_add_epi16(low, high), _mm256_set1_epi16(1));
}

inline constexpr size_t kRefineAtOnce = 1;

template <size_t kRows>
HW_KERNEL_INLINE void DotBits(const std::byte* const* bits, const int8_t* q, Ints* dots) {
  for (size_t r = 0; r < kRows; ++r) {
    dots[r] = {DotHalf(bits[r], q), DotHalf(bits[r] + 32, q + 32)};
  }
}

class BlockFactors {
 public:
  HW_KERNEL_INLINE BlockFactors(Floats low, Floats high) {
    Store(factors_, low);
    Store(factors_ + 16, high);
  }
  // Four lanes belong to one unit, and so to one block.
  HW_KERNEL_INLINE Floats OfVector(const int32_t* blocks) const {
    const auto four = [&](int64_t lane) { return _mm_broadcast_ss(factors_ + blocks[lane]); };
    return {_mm256_set_m128(four(4), four(0)), _mm256_set_m128(four(12), four(8))};
  }

 private:
  float factors_[kMaxRotationBlocks];
};

// Sums of bytes without unpacking them, as in the AVX-512 set.
struct SplitSums {
  __m256i all;
  __m256i odd;

  HW_KERNEL_INLINE void Add(__m256i entries) {
    all = _mm256_add_epi16(all, entries);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(entries, 8));
  }

  // Rows ascending.
  HW_KERNEL_INLINE void Store(uint16_t* sums) const {
    const __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    const __m256i low = _mm256_unpacklo_epi16(even, odd);   // rows 0-7, 16-23
    const __m256i high = _mm256_unpackhi_epi16(even, odd);  // rows 8-15, 24-31
    auto* out = reinterpret_cast<__m256i*>(sums);
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(low, high, 0x31));
  }
};

// The entries of 32 rows: bits 0-3 of an index choose among 16, bits 4 and 5 the table. Other bits
// do not matter. A byte blend looks at bit 7.
HW_KERNEL_INLINE __m256i LookUp(const uint8_t* table, __m256i index) {
  const auto sixteen = [&](int64_t t) {
    return _mm256_broadcastsi128_si256(
        _mm_load_si128(reinterpret_cast<const __m128i*>(table + 16 * t)));
  };
  const __m256i low = _mm256_and_si256(index, _mm256_set1_epi8(15));
  const __m256i bit4 = _mm256_slli_epi16(index, 3);
  const __m256i bit5 = _mm256_slli_epi16(index, 2);
  const __m256i first = _mm256_blendv_epi8(_mm256_shuffle_epi8(sixteen(0), low),
                                           _mm256_shuffle_epi8(sixteen(1), low), bit4);
  const __m256i second = _mm256_blendv_epi8(_mm256_shuffle_epi8(sixteen(2), low),
                                            _mm256_shuffle_epi8(sixteen(3), low), bit4);
  return _mm256_blendv_epi8(first, second, bit5);
}

// 32 rows of one block for one token.
HW_KERNEL_INLINE void AccumulateHalf(const std::byte* units, int64_t num_units,
                                     const uint8_t* tables, uint16_t* sums) {
  SplitSums acc = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  const __m256i mask = _mm256_set1_epi8(3);
  for (int64_t u = 0; u < num_units; ++u) {
    const std::byte* p = units + u * kSignUnitBytes;
    // The same bytes of the next band: the way through a band is not a stream.
    __builtin_prefetch(p + num_units * kSignUnitBytes, 0, 2);
    __builtin_prefetch(p + num_units * kSignUnitBytes + 64, 0, 2);
    __builtin_prefetch(p + num_units * kSignUnitBytes + 128, 0, 2);
    const uint8_t* table = tables + u * kSignUnitGroups * kSignTableEntries;
    const __m256i a = LoadBytes(p);
    const __m256i b = LoadBytes(p + 64);
    const __m256i c = LoadBytes(p + 128);
    const auto top = [&](__m256i bytes) {
      return _mm256_and_si256(_mm256_srli_epi16(bytes, 6), mask);
    };
    const __m256i fourth = _mm256_or_si256(
        top(a), _mm256_or_si256(_mm256_slli_epi16(top(b), 2), _mm256_slli_epi16(top(c), 4)));
    acc.Add(_mm256_add_epi8(LookUp(table, a), LookUp(table + 64, b)));
    acc.Add(_mm256_add_epi8(LookUp(table + 128, c), LookUp(table + 192, fourth)));
  }
  acc.Store(sums);
}

// Half strips in turn: the block's table (4 KB) and bytes stay in the first-level cache.
HW_KERNEL_INLINE void AccumulateBand(const std::byte* units, int64_t num_units,
                                     const uint8_t* const* tables, int64_t num_tokens,
                                     uint16_t* const* sums) {
  for (int64_t t = 0; t < num_tokens; ++t) {
    for (int64_t half = 0; half < 2 * kSignStrips; ++half) {
      AccumulateHalf(units + half / 2 * kSignStripBytes + half % 2 * 32, num_units, tables[t],
                     sums[t] + 32 * half);
    }
  }
}

// clang-format off
#include "kernels/lanes/best.inc"
#include "kernels/lanes/screen.inc"
#include "kernels/lanes/plane_state.inc"
#include "kernels/lanes/planes.inc"
// clang-format on

}  // namespace

#include "kernels/region_end.h"  // what follows runs on every processor

void AddPlaneKernels(KernelSet* set) {
  set->screen = Screen;
  set->build_sign_tables = BuildSignTables;
  set->quantise_for_refinement = QuantiseForRefinement;
  set->refine = Refine;
  set->rotate = Rotate;
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
