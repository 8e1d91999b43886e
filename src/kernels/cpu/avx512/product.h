#pragma once

// The product of quantised tiles with quantised tokens, for all types and widths. One vector of
// codes (4 channels of 16 rows) meets four bytes of a token, broadcast from memory, in one 8-bit
// multiply-add; 8 of those are a block. The integer sum starts at -offset * sum(x.q), so that
// unsigned codes give the signed sum exactly.
//
// Registers: kTiles * kTokens float sums stay in registers for the whole tile; integer sums live
// for one block. Two tiles and eight tokens at once: each loaded code vector is used eight times,
// each broadcast twice (prefill).

#include <algorithm>
#include <array>

#include "kernels/cpu/avx512/tile_reader.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/cpu/target_avx512_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {

// Bytes that a decoding pass (one tile at a time) runs ahead of itself.
inline constexpr int64_t kPrefetchBytes = 4096;

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
HW_KERNEL_INLINE __m512i BroadcastGroup(const ActivationBlock& x, int g) {
  int32_t four;
  __builtin_memcpy(&four, x.q + 4 * g, sizeof four);
  return _mm512_set1_epi32(four);
}

// isum[i][t] of the channel groups [kBegin, kEnd) as floats.
template <DataType kType, size_t kTiles, size_t kTokens, int kBegin, int kEnd>
HW_KERNEL_INLINE void IntegerSums(const TileReader<kType> (&w)[kTiles], const ActivationBlock* x,
                                  __m512 (&sums)[kTiles][kTokens]) {
  __m512i isum[kTiles][kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    const __m512i start = StartOf<kType>(x[t], kBegin / 4);
    HW_UNROLL
    for (size_t i = 0; i < kTiles; ++i) isum[i][t] = start;
  }
  HW_UNROLL
  for (int g = kBegin; g < kEnd; ++g) {
    __m512i codes[kTiles];
    HW_UNROLL
    for (size_t i = 0; i < kTiles; ++i) codes[i] = w[i].Codes(g);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      const __m512i group = BroadcastGroup(x[t], g);
      HW_UNROLL
      for (size_t i = 0; i < kTiles; ++i) {
        isum[i][t] = _mm512_dpbusd_epi32(isum[i][t], codes[i], group);
      }
    }
  }
  HW_UNROLL
  for (size_t i = 0; i < kTiles; ++i) {
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) sums[i][t] = _mm512_cvtepi32_ps(isum[i][t]);
  }
}

// One block of 32 channels for tokens [kFirst, kFirst + kBatch) of kTokens.
template <DataType kType, size_t kTiles, size_t kTokens, size_t kFirst, size_t kBatch>
HW_KERNEL_INLINE void StepBatch(const TileReader<kType> (&w)[kTiles], const ActivationBlock* x,
                                __m512 (&acc)[kTiles][kTokens]) {
  __m512 sums[kTiles][kBatch];
  if constexpr (TileReader<kType>::kIsQ6) {
    __m512 second[kTiles][kBatch];
    IntegerSums<kType, kTiles, kBatch, 0, 4>(w, x + kFirst, sums);
    HW_UNROLL
    for (size_t i = 0; i < kTiles; ++i) {
      const __m512 half_scale = w[i].HalfScale(0);
      HW_UNROLL
      for (size_t t = 0; t < kBatch; ++t) sums[i][t] = _mm512_mul_ps(sums[i][t], half_scale);
    }
    IntegerSums<kType, kTiles, kBatch, 4, 8>(w, x + kFirst, second);
    HW_UNROLL
    for (size_t i = 0; i < kTiles; ++i) {
      const __m512 half_scale = w[i].HalfScale(1);
      HW_UNROLL
      for (size_t t = 0; t < kBatch; ++t) {
        sums[i][t] = _mm512_fmadd_ps(second[i][t], half_scale, sums[i][t]);
      }
    }
  } else {
    IntegerSums<kType, kTiles, kBatch, 0, 8>(w, x + kFirst, sums);
  }
  HW_UNROLL
  for (size_t i = 0; i < kTiles; ++i) {
    const __m512 scale = w[i].Scale();
    HW_UNROLL
    for (size_t t = 0; t < kBatch; ++t) {
      const ActivationBlock& block = x[kFirst + t];
      __m512& sum = acc[i][kFirst + t];
      sum = _mm512_fmadd_ps(sums[i][t], _mm512_mul_ps(scale, _mm512_set1_ps(block.scale)), sum);
    }
    if constexpr (TileReader<kType>::kHasMin) {
      const __m512 min = w[i].Min();
      HW_UNROLL
      for (size_t t = 0; t < kBatch; ++t) {
        const __m512 scaled_sum = _mm512_set1_ps(x[kFirst + t].scaled_sum);
        __m512& sum = acc[i][kFirst + t];
        sum = TileReader<kType>::kIsQ45K ? _mm512_fnmadd_ps(scaled_sum, min, sum)
                                         : _mm512_fmadd_ps(scaled_sum, min, sum);
      }
    }
  }
}

template <DataType kType, size_t kTiles, size_t kTokens>
HW_KERNEL_INLINE void Step(const TileReader<kType> (&w)[kTiles], const ActivationBlock* x,
                           __m512 (&acc)[kTiles][kTokens]) {
  if constexpr (kTiles * kTokens <= 8) {
    StepBatch<kType, kTiles, kTokens, 0, kTokens>(w, x, acc);
  } else {
    constexpr size_t kBatch = TileReader<kType>::kIsQ6 ? 2 : 4;
    static_assert(kTokens == 8);
    StepBatch<kType, kTiles, kTokens, 0, kBatch>(w, x, acc);
    StepBatch<kType, kTiles, kTokens, kBatch, kBatch>(w, x, acc);
    if constexpr (kBatch == 2) {
      StepBatch<kType, kTiles, kTokens, 4, kBatch>(w, x, acc);
      StepBatch<kType, kTiles, kTokens, 6, kBatch>(w, x, acc);
    }
  }
}

// What one call of the inner kernel computes: kTiles tiles times one group of kTokens tokens.
struct TileJob {
  const std::byte* tiles;    // consecutive
  const ActivationBlock* x;  // [blocks, kTokens]
  int64_t num_channels;
  float* y;  // of the first row and token
  int64_t y_stride;
  int64_t num_rows;  // from the first row to the end of the matrix
};

template <DataType kType, size_t kTiles, size_t kTokens>
void RunJob(const TileJob& job) {
  using Reader = TileReader<kType>;
  const int64_t num_blocks = job.num_channels / (32 * Reader::kFormat.sub_blocks);
  const ActivationBlock* x = job.x;
  __m512 acc[kTiles][kTokens];
  HW_UNROLL
  for (size_t i = 0; i < kTiles; ++i) {
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) acc[i][t] = _mm512_setzero_ps();
  }
  Reader readers[kTiles];
  readers[0].Start(job.tiles);
  if constexpr (kTiles == 2) readers[1].Start(job.tiles + TileBytes(kType, job.num_channels));
  for (int64_t block = 0; block < num_blocks; block += Reader::kBlocksPerStripe) {
    for (Reader& reader : readers) reader.EnterStripe();
    const int64_t in_stripe = std::min<int64_t>(Reader::kBlocksPerStripe, num_blocks - block);
    for (int64_t b = 0; b < in_stripe; ++b) {
      for (Reader& reader : readers) reader.EnterBlock(b);
      for (int64_t run = 0; run < Reader::kRuns; ++run) {
        for (Reader& reader : readers) reader.EnterRun(run);
        for (int s = 0; s < Reader::kRunLength; ++s, x += kTokens) {
          if constexpr (kTiles == 1) readers[0].Prefetch(kPrefetchBytes);
          Step<kType, kTiles, kTokens>(readers, x, acc);
          for (Reader& reader : readers) reader.Next();
        }
      }
    }
  }
  HW_UNROLL
  for (size_t i = 0; i < kTiles; ++i) {
    const int64_t first = static_cast<int64_t>(i) * kTileRows;
    const int64_t rows = std::min<int64_t>(kTileRows, job.num_rows - first);
    const auto mask = static_cast<__mmask16>((1U << rows) - 1U);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      float* y = job.y + static_cast<int64_t>(t) * job.y_stride + first;
      _mm512_mask_storeu_ps(y, mask, acc[i][t]);
    }
  }
}

template <DataType kType>
constexpr std::array<void (*)(const TileJob&), 8> kOneTile = {
    RunJob<kType, 1, 1>, RunJob<kType, 1, 2>, RunJob<kType, 1, 3>, RunJob<kType, 1, 4>,
    RunJob<kType, 1, 5>, RunJob<kType, 1, 6>, RunJob<kType, 1, 7>, RunJob<kType, 1, 8>};

// Tiles outside, tokens inside: two tiles stay in the second-level cache while all tokens pass.
template <DataType kType>
void MatMul(const MatMulArgs& args) {
  const int64_t tile_bytes = TileBytes(kType, args.num_channels);
  const int64_t step = args.num_tokens > QuantisedRows::kGroup ? 2 : 1;
  for (int64_t tile = args.tile_begin; tile < args.tile_end; tile += step) {
    const bool two = step == 2 && tile + 1 < args.tile_end;
    for (int64_t t = 0; t < args.num_tokens; t += QuantisedRows::kGroup) {
      const int64_t width = args.xq.GroupWidth(t);
      TileJob job = {.tiles = args.tiles + tile * tile_bytes,
                     .x = args.xq.Block(t, 0),
                     .num_channels = args.num_channels,
                     .y = args.y + t * args.y_stride + tile * kTileRows,
                     .y_stride = args.y_stride,
                     .num_rows = args.num_rows - tile * kTileRows};
      if (two && width == QuantisedRows::kGroup) {
        RunJob<kType, 2, 8>(job);
        continue;
      }
      const auto run = kOneTile<kType>[static_cast<size_t>(width - 1)];
      run(job);
      if (!two) continue;
      job.tiles += tile_bytes;
      job.y += kTileRows;
      job.num_rows -= kTileRows;
      run(job);
    }
  }
}

}  // namespace headway::kernels::avx512

#include "kernels/cpu/target_end.h"
