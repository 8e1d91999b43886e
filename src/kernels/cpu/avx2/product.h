#pragma once

// The product of quantised tiles with quantised tokens without an 8-bit multiply-add into 32 bits:
// pairs go to 16 bits (maddubs) first. It saturates at 32767, so
//   8-bit codes: |w| * (x with w's sign), at most 2 * 128 * 127 = 32512, widened at once;
//   6-bit codes: 2 groups of 2 * 63 * 127 stay below it, 5-bit 4 groups, 4-bit all 8: widened after
//   so many.
// Both halves of a tile (eight rows each) pass together with up to four tokens.

#include <algorithm>

#include "kernels/cpu/avx2/tile_reader.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/cpu/target_avx2_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx2 {

// What an integer sum starts from; Q8_0 codes are signed here.
template <DataType kType>
HW_KERNEL_INLINE __m256i StartOf(const ActivationBlock& x, int half) {
  if constexpr (kType == DataType::kQ5_0) return _mm256_set1_epi32(x.offset_q5);
  if constexpr (kType == DataType::kQ4_0) return _mm256_set1_epi32(x.offset_q4);
  if constexpr (kType == DataType::kQ6_K) return _mm256_set1_epi32(x.offset_q6[half]);
  return _mm256_setzero_si256();
}

HW_KERNEL_INLINE __m256i BroadcastGroup(const ActivationBlock& x, int64_t g) {
  int32_t four;
  std::memcpy(&four, x.q + 4 * g, sizeof four);
  return _mm256_set1_epi32(four);
}

// No instruction: makes the compiler keep the order of a sum. Left alone, g++ 12 reorders the
// integer additions into trees, holds every product, and spills (Q4_0: 63 instead of 113 G
// multiply-adds a second).
HW_KERNEL_INLINE void KeepOrder(__m256i& sum) {
  asm("" : "+x"(sum));
}  // NOLINT(hicpp-no-assembler)

// No instruction: loads are not carried over from one half of a tile to the other, for the same
// reason.
HW_KERNEL_INLINE void ForgetLoads() {
  asm volatile("" ::: "memory");
}  // NOLINT(hicpp-no-assembler)

// Groups whose 16-bit sums fit together.
template <DataType kType>
constexpr int64_t kGroupsPerWidening = FormatOf(kType).bits == 8   ? 1
                                       : FormatOf(kType).bits == 6 ? 2
                                       : FormatOf(kType).bits == 5 ? 4
                                                                   : 8;

// isum[t] of the channel groups [kBegin, kEnd).
template <DataType kType, size_t kTokens, int64_t kBegin, int64_t kEnd>
HW_KERNEL_INLINE void IntegerSums(const TileReader<kType>& w, const ActivationBlock* x,
                                  __m256i (&isum)[kTokens]) {
  constexpr int64_t kStep = std::min(kGroupsPerWidening<kType>, kEnd - kBegin);
  const __m256i ones = _mm256_set1_epi16(1);
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) isum[t] = StartOf<kType>(x[t], kBegin / 4);
  HW_UNROLL
  for (int64_t first = kBegin; first < kEnd; first += kStep) {
    __m256i pairs[kTokens];
    HW_UNROLL
    for (int64_t g = first; g < first + kStep; ++g) {
      const __m256i codes = w.Codes(g);
      const __m256i magnitude =
          kType == DataType::kQ8_0 ? _mm256_abs_epi8(codes) : codes;  // -128 becomes 128
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        __m256i group = BroadcastGroup(x[t], g);
        if constexpr (kType == DataType::kQ8_0) group = _mm256_sign_epi8(group, codes);
        const __m256i products = _mm256_maddubs_epi16(magnitude, group);
        pairs[t] = g == first ? products : _mm256_add_epi16(pairs[t], products);
        KeepOrder(pairs[t]);
      }
    }
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      isum[t] = _mm256_add_epi32(isum[t], _mm256_madd_epi16(pairs[t], ones));
      KeepOrder(isum[t]);
    }
  }
}

// One block of 32 channels of eight rows.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void Step(const TileReader<kType>& w, const ActivationBlock* x,
                           __m256 (&acc)[kTokens]) {
  __m256i isum[kTokens];
  if constexpr (TileReader<kType>::kIsQ6) {
    __m256i second[kTokens];
    IntegerSums<kType, kTokens, 0, 4>(w, x, isum);
    const __m256i scale0 = w.HalfScale(0);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) isum[t] = _mm256_mullo_epi32(isum[t], scale0);
    IntegerSums<kType, kTokens, 4, 8>(w, x, second);
    const __m256i scale1 = w.HalfScale(1);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      isum[t] = _mm256_add_epi32(isum[t], _mm256_mullo_epi32(second[t], scale1));
    }
  } else {
    IntegerSums<kType, kTokens, 0, 8>(w, x, isum);
  }
  const __m256 scale = w.Scale();
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    const __m256 product = _mm256_mul_ps(scale, _mm256_set1_ps(x[t].scale));
    acc[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(isum[t]), product, acc[t]);
  }
  if constexpr (TileReader<kType>::kHasMin) {
    const __m256 min = w.Min();
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      const __m256 scaled_sum = _mm256_set1_ps(x[t].scaled_sum);
      acc[t] = TileReader<kType>::kIsQ45K ? _mm256_fnmadd_ps(scaled_sum, min, acc[t])
                                          : _mm256_fmadd_ps(scaled_sum, min, acc[t]);
    }
  }
}

// What one call of the inner kernel adds: one segment of one strip times kTokens tokens of a group.
struct SegmentJob {
  const std::byte* codes;
  const ActivationBlock* x;  // block 0 of the segment, first token; blocks are x_stride apart
  int64_t x_stride;
  int64_t num_channels;
  bool first;                 // sums start at zero
  float (*sums)[kStripRows];  // [kTokens]
};

template <DataType kType, size_t kTokens>
void RunJob(const SegmentJob& job) {
  using Reader = TileReader<kType>;
  const int64_t num_blocks = job.num_channels / Reader::kFormat.BlockChannels();
  const ActivationBlock* x = job.x;
  __m256 low[kTokens];
  __m256 high[kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    low[t] = job.first ? _mm256_setzero_ps() : _mm256_load_ps(job.sums[t]);
    high[t] = job.first ? _mm256_setzero_ps() : _mm256_load_ps(job.sums[t] + 8);
  }
  Reader readers[2];
  readers[0].Start(job.codes, 0);
  readers[1].Start(job.codes, 1);
  for (int64_t block = 0; block < num_blocks; block += Reader::kBlocksPerStripe) {
    for (Reader& reader : readers) reader.EnterStripe();
    const int64_t in_stripe = std::min<int64_t>(Reader::kBlocksPerStripe, num_blocks - block);
    for (int64_t b = 0; b < in_stripe; ++b) {
      for (Reader& reader : readers) reader.EnterBlock(b);
      for (int64_t run = 0; run < Reader::kRuns; ++run) {
        for (Reader& reader : readers) reader.EnterRun(run);
        for (int64_t s = 0; s < Reader::kRunLength; ++s, x += job.x_stride) {
          Step<kType, kTokens>(readers[0], x, low);
          ForgetLoads();
          Step<kType, kTokens>(readers[1], x, high);
          for (Reader& reader : readers) reader.Next();
        }
      }
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    _mm256_store_ps(job.sums[t], low[t]);
    _mm256_store_ps(job.sums[t] + 8, high[t]);
  }
}

// Sums of one strip, written where the matrix has rows.
HW_KERNEL_INLINE void StoreRows(const float* sums, int64_t rows, float* y) {
  for (int64_t r = 0; r < std::min<int64_t>(rows, kStripRows); ++r) y[r] = sums[r];
}

// One tile times kTokens tokens from `token` on, all of one group.
template <DataType kType, size_t kTokens>
void MultiplyTokens(const MatMulArgs& args, int64_t tile, int64_t token) {
  constexpr TileFormat kFormat = FormatOf(kType);
  const int64_t row = tile * kTileRows;
  const int64_t strips =
      std::min<int64_t>(kTileStrips, (args.num_rows - row + kStripRows - 1) / kStripRows);
  alignas(32) float sums[kTileStrips][kTokens][kStripRows];
  const std::byte* segment = args.tiles + tile * TileBytes(kType, args.num_channels);
  for (int64_t c = 0; c < args.num_channels; c += kSegmentChannels) {
    const int64_t channels = std::min(kSegmentChannels, args.num_channels - c);
    const int64_t strip_bytes = kFormat.RunBytes(channels);
    for (int64_t strip = 0; strip < strips; ++strip) {
      RunJob<kType, kTokens>({.codes = segment + strip * strip_bytes,
                              .x = args.xq.Block(token, c / 32),
                              .x_stride = args.xq.GroupWidth(token),
                              .num_channels = channels,
                              .first = c == 0,
                              .sums = sums[strip]});
    }
    segment += kTileStrips * strip_bytes;
  }
  for (int64_t strip = 0; strip < strips; ++strip) {
    const int64_t first = row + strip * kStripRows;
    for (size_t t = 0; t < kTokens; ++t) {
      float* y = args.y + (token + static_cast<int64_t>(t)) * args.y_stride + first;
      StoreRows(sums[strip][t], args.num_rows - first, y);
    }
  }
}

template <DataType kType>
void MatMul(const MatMulArgs& args) {
  for (int64_t tile = args.tile_begin; tile < args.tile_end; ++tile) {
    int64_t tokens = 0;
    for (int64_t t = 0; t < args.num_tokens; t += tokens) {
      const int64_t left = args.xq.GroupWidth(t) - t % QuantisedRows::kGroup;
      tokens = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      if (tokens == 4) {
        MultiplyTokens<kType, 4>(args, tile, t);
      } else if (tokens == 2) {
        MultiplyTokens<kType, 2>(args, tile, t);
      } else {
        MultiplyTokens<kType, 1>(args, tile, t);
      }
    }
  }
}

}  // namespace headway::kernels::avx2

#include "kernels/cpu/target_end.h"
