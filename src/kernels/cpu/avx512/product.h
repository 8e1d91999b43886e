#pragma once

// The product of quantised tiles with quantised tokens, for all types and widths. One vector of
// codes (4 channels of 16 rows) meets four bytes of a token, broadcast from memory, in one 8-bit
// multiply-add; 8 of those are a block. The integer sum starts at -offset * sum(x.q), so that
// unsigned codes give the signed sum exactly.
//
// Registers: one float and one integer sum a token (at most 8 + 8), the codes of one group,
// constants: nothing spills. A token's four bytes come straight from memory: the processor
// broadcasts two a cycle and multiplies one, so that loads are not the limit.

#include <algorithm>
#include <array>

#include "kernels/cpu/avx512/tile_reader.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/cpu/target_avx512_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {

// What an integer sum starts from.
template <DataType kType>
HW_KERNEL_INLINE __m512i StartOf(const ActivationBlock& x, int half) {
  if constexpr (kType == DataType::kQ8_0) return _mm512_set1_epi32(x.offset_q8);
  if constexpr (kType == DataType::kQ5_0) return _mm512_set1_epi32(x.offset_q5);
  if constexpr (kType == DataType::kQ4_0) return _mm512_set1_epi32(x.offset_q4);
  if constexpr (kType == DataType::kQ6_K) return _mm512_set1_epi32(x.offset_q6[half]);
  return _mm512_setzero_si512();
}

// Channels 4g .. 4g + 3 of a token in every lane.
HW_KERNEL_INLINE __m512i BroadcastGroup(const ActivationBlock& x, int64_t g) {
  int32_t four;
  __builtin_memcpy(&four, x.q + 4 * g, sizeof four);
  return _mm512_set1_epi32(four);
}

// The sums over channel groups [kBegin, kEnd) as floats.
template <DataType kType, size_t kTokens, int64_t kBegin, int64_t kEnd>
HW_KERNEL_INLINE void IntegerSums(const TileReader<kType>& w, const ActivationBlock* x,
                                  __m512 (&sums)[kTokens]) {
  __m512i isum[kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) isum[t] = StartOf<kType>(x[t], kBegin / 4);
  HW_UNROLL
  for (int64_t g = kBegin; g < kEnd; ++g) {
    const __m512i codes = w.Codes(g);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      isum[t] = _mm512_dpbusd_epi32(isum[t], codes, BroadcastGroup(x[t], g));
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) sums[t] = _mm512_cvtepi32_ps(isum[t]);
}

// One block of 32 channels.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void Step(const TileReader<kType>& w, const ActivationBlock* x,
                           __m512 (&acc)[kTokens]) {
  using Reader = TileReader<kType>;
  __m512 sums[kTokens];
  if constexpr (Reader::kIsQ6) {
    // scale_0 * isum_0 + scale_1 * isum_1 in floats: below 2^24, so exact.
    __m512 second[kTokens];
    IntegerSums<kType, kTokens, 0, 4>(w, x, sums);
    const __m512 scale0 = w.HalfScale(0);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) sums[t] = _mm512_mul_ps(sums[t], scale0);
    IntegerSums<kType, kTokens, 4, 8>(w, x, second);
    const __m512 scale1 = w.HalfScale(1);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) sums[t] = _mm512_fmadd_ps(second[t], scale1, sums[t]);
  } else {
    IntegerSums<kType, kTokens, 0, 8>(w, x, sums);
  }
  const __m512 scale = w.Scale();
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    acc[t] = _mm512_fmadd_ps(sums[t], _mm512_mul_ps(scale, _mm512_set1_ps(x[t].scale)), acc[t]);
  }
  if constexpr (Reader::kHasMin) {
    const __m512 min = w.Min();
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      const __m512 scaled_sum = _mm512_set1_ps(x[t].scaled_sum);
      acc[t] = Reader::kIsQ45K ? _mm512_fnmadd_ps(scaled_sum, min, acc[t])
                               : _mm512_fmadd_ps(scaled_sum, min, acc[t]);
    }
  }
}

// The sums of one strip and one group of tokens between two calls of the inner kernel.
struct alignas(64) StripSums {
  float of[QuantisedRows::kGroup][kStripRows];
};

// What one call of the inner kernel adds to the sums: one segment of a strip times a group of
// kTokens tokens.
struct SegmentJob {
  const std::byte* codes;
  const ActivationBlock* x;  // [channels / 32, kTokens]
  int64_t num_channels;      // of the segment
  bool first;                // sums start at zero
  StripSums* sums;
};

template <DataType kType, size_t kTokens>
void RunJob(const SegmentJob& job) {
  using Reader = TileReader<kType>;
  const int64_t num_blocks = job.num_channels / Reader::kFormat.BlockChannels();
  const ActivationBlock* x = job.x;
  __m512 acc[kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    acc[t] = job.first ? _mm512_setzero_ps() : _mm512_load_ps(job.sums->of[t]);
  }
  Reader reader;
  reader.Start(job.codes);
  for (int64_t block = 0; block < num_blocks; block += Reader::kBlocksPerStripe) {
    reader.EnterStripe();
    const int64_t in_stripe = std::min<int64_t>(Reader::kBlocksPerStripe, num_blocks - block);
    for (int64_t b = 0; b < in_stripe; ++b) {
      reader.EnterBlock(b);
      for (int64_t run = 0; run < Reader::kRuns; ++run) {
        reader.EnterRun(run);
        for (int64_t s = 0; s < Reader::kRunLength; ++s, x += kTokens) {
          Step<kType, kTokens>(reader, x, acc);
          reader.Next();
        }
      }
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) _mm512_store_ps(job.sums->of[t], acc[t]);
}

template <DataType kType>
constexpr std::array<void (*)(const SegmentJob&), 8> kRunJob = {
    RunJob<kType, 1>, RunJob<kType, 2>, RunJob<kType, 3>, RunJob<kType, 4>,
    RunJob<kType, 5>, RunJob<kType, 6>, RunJob<kType, 7>, RunJob<kType, 8>};

HW_KERNEL_INLINE void StoreSums(const MatMulArgs& args, int64_t row, int64_t token, int64_t width,
                                const StripSums& sums) {
  const int64_t rows = std::min<int64_t>(kStripRows, args.num_rows - row);
  const auto mask = static_cast<__mmask16>((1U << rows) - 1U);
  for (int64_t t = 0; t < width; ++t) {
    _mm512_mask_storeu_ps(args.y + (token + t) * args.y_stride + row, mask,
                          _mm512_load_ps(sums.of[t]));
  }
}

// One tile times the group of tokens from `token` on. The strips take turns after each segment, so
// that they share the group's activations while those are in the first-level cache.
template <DataType kType>
void MultiplyGroup(const MatMulArgs& args, int64_t tile, int64_t token) {
  constexpr TileFormat kFormat = FormatOf(kType);
  const int64_t row = tile * kTileRows;
  const int64_t strips =
      std::min<int64_t>(kTileStrips, (args.num_rows - row + kStripRows - 1) / kStripRows);
  const int64_t width = args.xq.GroupWidth(token);
  const auto run = kRunJob<kType>[static_cast<size_t>(width - 1)];
  StripSums sums[kTileStrips];
  const std::byte* segment = args.tiles + tile * TileBytes(kType, args.num_channels);
  for (int64_t c = 0; c < args.num_channels; c += kSegmentChannels) {
    const int64_t channels = std::min(kSegmentChannels, args.num_channels - c);
    const int64_t strip_bytes = kFormat.RunBytes(channels);
    for (int64_t strip = 0; strip < strips; ++strip) {
      run({.codes = segment + strip * strip_bytes,
           .x = args.xq.Block(token, c / 32),
           .num_channels = channels,
           .first = c == 0,
           .sums = sums + strip});
    }
    segment += kTileStrips * strip_bytes;
  }
  for (int64_t strip = 0; strip < strips; ++strip) {
    StoreSums(args, row + strip * kStripRows, token, width, sums[strip]);
  }
}

// Tiles outside, tokens inside: a tile stays in the second-level cache while all tokens pass.
template <DataType kType>
void MatMul(const MatMulArgs& args) {
  for (int64_t tile = args.tile_begin; tile < args.tile_end; ++tile) {
    for (int64_t t = 0; t < args.num_tokens; t += QuantisedRows::kGroup) {
      MultiplyGroup<kType>(args, tile, t);
    }
  }
}

}  // namespace headway::kernels::avx512

#include "kernels/cpu/target_end.h"
