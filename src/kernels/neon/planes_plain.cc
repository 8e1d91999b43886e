#if defined(__aarch64__)

// The certified head's kernels: the screen looks up groups of six channels in a table of 64 entries
// held by four registers.

#include <algorithm>
#include <cmath>

#include "kernels/neon/bytes.h"
#include "kernels/neon/set.h"
#include "kernels/plane_kernels.h"

namespace headway::kernels::neon::plain {
namespace {

// A vector of bits times its eight lines, one row: products of a bit and an activation are at most
// 127; sixteen fit 16 bits.
HW_KERNEL_INLINE void DotOneRow(const std::byte* bits, const int8_t* q, Ints* dots) {
  const Bytes v = LoadLine(bits);
  int16x8_t sums[4];
  HW_UNROLL
  for (auto& sum : sums) sum = vdupq_n_s16(0);
  HW_UNROLL
  for (int64_t f = 0; f < 8; ++f) {
    const uint8x16_t bit = vdupq_n_u8(static_cast<uint8_t>(1U << f));
    HW_UNROLL
    for (int64_t i = 0; i < 4; ++i) {
      const int8x16_t line = vld1q_s8(q + 64 * f + 16 * i);
      const int8x16_t chosen = vandq_s8(line, vreinterpretq_s8_u8(vtstq_u8(v.of[i], bit)));
      sums[i] = vpadalq_s8(sums[i], chosen);
    }
  }
  HW_UNROLL
  for (size_t i = 0; i < 4; ++i) dots->of[i] = vpaddlq_s16(sums[i]);
}

inline constexpr size_t kRefineAtOnce = 1;

template <size_t kRows>
HW_KERNEL_INLINE void DotBits(const std::byte* const* bits, const int8_t* q, Ints* dots) {
  for (size_t r = 0; r < kRows; ++r) DotOneRow(bits[r], q, dots + r);
}

// 64 rows of one block for one token, as bytes of sums in two halves of eight rows.
struct StripSums {
  uint16x8_t of[8];

  // Two groups of a pair: their bytes do not overflow (kSignRange).
  HW_KERNEL_INLINE void Add(const Bytes& first, const Bytes& second) {
    HW_UNROLL
    for (size_t i = 0; i < 4; ++i) {
      const uint8x16_t entries = vaddq_u8(first.of[i], second.of[i]);
      of[2 * i] = vaddw_u8(of[2 * i], vget_low_u8(entries));
      of[2 * i + 1] = vaddw_high_u8(of[2 * i + 1], entries);
    }
  }
};

// Of the next table. Its four registers stay together: taken apart, g++ 12 puts them together again
// in memory.
HW_KERNEL_INLINE Bytes LookUp(const uint8_t** tables, const Bytes& index) {
  const uint8x16x4_t entries = vld1q_u8_x4(*tables);
  *tables += kSignTableEntries;
  return Each<Bytes>([&](uint8x16_t i) { return vqtbl4q_u8(entries, i); }, index);
}

// Not inlined: the sums of a small function stay in registers.
[[gnu::noinline]] void AccumulateStrip(const std::byte* units, int64_t num_units,
                                       const uint8_t* table, uint16_t* sums) {
  StripSums acc;
  HW_UNROLL
  for (auto& eight : acc.of) eight = vdupq_n_u16(0);
  for (int64_t u = 0; u < num_units; ++u) {
    const Bytes a = TakeLine(&units);
    const Bytes b = TakeLine(&units);
    const Bytes c = TakeLine(&units);
    units += kSignUnitBytes - kSignStripBytes;
    const Bytes first = LookUp(&table, And(a, 63));
    acc.Add(first, LookUp(&table, And(b, 63)));
    // Bits 6, 7 of the three bytes become bits 0-1, 2-3, 4-5: shifts that insert leave those above.
    const Bytes fourth = Each<Bytes>(
        [](uint8x16_t x, uint8x16_t y, uint8x16_t z) {
          return vsriq_n_u8(vsriq_n_u8(vshrq_n_u8(z, 2), y, 4), x, 6);
        },
        a, b, c);
    const Bytes third = LookUp(&table, And(c, 63));
    acc.Add(third, LookUp(&table, fourth));
  }
  HW_UNROLL
  for (size_t i = 0; i < 8; ++i) vst1q_u16(sums + 8 * i, acc.of[i]);
}

// Strips in turn: the block's table (4 KB) stays in the first-level cache.
HW_KERNEL_INLINE void AccumulateBand(const std::byte* units, int64_t num_units,
                                     const uint8_t* const* tables, int64_t num_tokens,
                                     uint16_t* const* sums) {
  for (int64_t t = 0; t < num_tokens; ++t) {
    for (int64_t strip = 0; strip < kSignStrips; ++strip) {
      AccumulateStrip(units + strip * kSignStripBytes, num_units, tables[t],
                      sums[t] + strip * kSignStripRows);
    }
  }
}

// clang-format off
#include "kernels/neon/block_factors.inc"
#include "kernels/lanes/best.inc"
#include "kernels/lanes/screen.inc"
#include "kernels/lanes/plane_state.inc"
#include "kernels/lanes/planes.inc"
// clang-format on

}  // namespace

void AddPlaneKernels(KernelSet* set) {
  set->screen = Screen;
  set->build_sign_tables = BuildSignTables;
  set->quantise_for_refinement = QuantiseForRefinement;
  set->refine = Refine;
  set->rotate = Rotate;
}

}  // namespace headway::kernels::neon::plain

#endif  // defined(__aarch64__)
