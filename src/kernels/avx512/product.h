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

#include "kernels/avx512/tile_reader.h"
#include "kernels/kernel_set.h"
#include "kernels/processor.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/avx512/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {

// What an integer sum starts from.
template <DataType kType>
HW_KERNEL_INLINE __m512i StartOf(const ActivationBlock& x, int half) {
  constexpr bool kIQ4 = kType == DataType::kIQ4_NL || kType == DataType::kIQ4_XS;
  if constexpr (kType == DataType::kQ8_0 || kIQ4) return _mm512_set1_epi32(x.offset_q8);
  if constexpr (kType == DataType::kQ5_0 || kType == DataType::kMXFP4)
    return _mm512_set1_epi32(x.offset_q5);
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

// The sums of a token's two halves in every lane.
HW_KERNEL_INLINE __m512i BroadcastHalfSums(const ActivationBlock& x) {
  int32_t both;
  __builtin_memcpy(&both, x.half_sums, sizeof both);
  return _mm512_set1_epi32(both);
}

// isum[t] += the products of channel groups [kBegin, kEnd).
template <int64_t kBegin, int64_t kEnd, DataType kType, size_t kTokens>
HW_KERNEL_INLINE void AddGroups(const TileReader<kType>& w, const ActivationBlock* x,
                                __m512i (&isum)[kTokens]) {
  HW_UNROLL
  for (int64_t g = kBegin; g < kEnd; ++g) {
    const __m512i codes = w.Codes(g);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      isum[t] = _mm512_dpbusd_epi32(isum[t], codes, BroadcastGroup(x[t], g));
    }
  }
}

// Four bits and few tokens: the high nibbles stay where they are and count sixteenfold, the sum is
// shifted instead of every vector of codes. Pays while the tokens are fewer than the four vectors.
template <DataType kType, size_t kTokens>
constexpr bool kSixteenfold = FormatOf(kType).bits == 4 && TableOf(kType) == nullptr&& kTokens <= 2;

template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void AddNibbles(const TileReader<kType>& w, const ActivationBlock* x,
                                 __m512i (&isum)[kTokens]) {
  __m512i high[kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    isum[t] = _mm512_setzero_si512();
    high[t] = kType == DataType::kQ4_0 ? _mm512_set1_epi32(x[t].offset_q8)  // 16 * offset_q4
                                       : _mm512_setzero_si512();
  }
  HW_UNROLL
  for (int64_t g = 0; g < 4; ++g) {
    const __m512i both = w.NibblePairs(g);
    const __m512i codes = _mm512_and_si512(both, _mm512_set1_epi8(0x0f));
    const __m512i sixteenfold = _mm512_and_si512(both, _mm512_set1_epi8(static_cast<char>(0xf0)));
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      isum[t] = _mm512_dpbusd_epi32(isum[t], codes, BroadcastGroup(x[t], g));
      high[t] = _mm512_dpbusd_epi32(high[t], sixteenfold, BroadcastGroup(x[t], g + 4));
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    isum[t] = _mm512_add_epi32(isum[t], _mm512_srai_epi32(high[t], 4));
  }
}

// The sums over 32 channels.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void IntegerSums(const TileReader<kType>& w, const ActivationBlock* x,
                                  __m512i (&isum)[kTokens]) {
  if constexpr (kSixteenfold<kType, kTokens>) {
    AddNibbles(w, x, isum);
  } else {
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) isum[t] = StartOf<kType>(x[t], 0);
    AddGroups<0, 8>(w, x, isum);
  }
}

// Q6_K: scale_0 * isum_0 + scale_1 * isum_1 over the two halves.
template <size_t kTokens>
HW_KERNEL_INLINE void ScaledSums(const TileReader<DataType::kQ6_K>& w, const ActivationBlock* x,
                                 __m512i (&isum)[kTokens]) {
  __m512i second[kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) isum[t] = StartOf<DataType::kQ6_K>(x[t], 0);
  AddGroups<0, 4>(w, x, isum);
  const __m512i scale0 = w.HalfScale(0);
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) isum[t] = _mm512_mullo_epi32(isum[t], scale0);
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) second[t] = StartOf<DataType::kQ6_K>(x[t], 1);
  AddGroups<4, 8>(w, x, second);
  const __m512i scale1 = w.HalfScale(1);
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    isum[t] = _mm512_add_epi32(isum[t], _mm512_mullo_epi32(second[t], scale1));
  }
}

// Q2_K, Q3_K: scale_0 * isum_0 + scale_1 * isum_1 over the two halves in one multiply-add of 16-bit
// words. Both sums grow in one register: the second half first, moved up 16 bits, then the first,
// which starts high enough to stay above zero: 2^13 (15 bits of 2-bit codes stay below 6,096) and
// 2^14 (3-bit codes: 14,224). What that start and Q3_K's codes are too large is taken off with the
// scales, for all tokens at once where it can be.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void PairedSums(const TileReader<kType>& w, int64_t s, const ActivationBlock* x,
                                 __m512i (&isum)[kTokens]) {
  constexpr int kStartBits = kType == DataType::kQ2_K ? 13 : 14;
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) isum[t] = _mm512_setzero_si512();
  AddGroups<4, 8>(w, x, isum);
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    isum[t] = _mm512_add_epi32(_mm512_slli_epi32(isum[t], 16), _mm512_set1_epi32(1 << kStartBits));
  }
  AddGroups<0, 4>(w, x, isum);
  const __m512i scales = w.ScalePair(s);
  const __m512i start = _mm512_sub_epi32(
      _mm512_setzero_si512(),
      _mm512_srai_epi32(_mm512_slli_epi32(scales, 16), static_cast<unsigned>(16 - kStartBits)));
  const __m512i fourfold = _mm512_slli_epi16(scales, 2);
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    isum[t] = _mm512_dpwssd_epi32(start, isum[t], scales);
    if constexpr (kType == DataType::kQ3_K) {
      const __m512i above = _mm512_madd_epi16(fourfold, BroadcastHalfSums(x[t]));
      isum[t] = _mm512_sub_epi32(isum[t], above);
    }
  }
}

// Whether to ask for weights ahead of the multiply-adds. Where arithmetic fills the window of
// instructions too fast to wait for memory in it: 4 and 5 bits and Q8_0 from three and four tokens
// on (Q4_0, 8 tokens: 11.4 and 14.5 GB/s). Q4_K and Q5_K with fewer tokens: as the processor has it
// (kernels/processor.h). Elsewhere its own prefetching is as good or better (docs/perf-log.md).
enum class FetchAhead { kNever, kAlways, kAsked };
template <DataType kType, size_t kTokens>
constexpr FetchAhead kFetchAhead = [] {
  constexpr TileFormat kFormat = FormatOf(kType);
  if (kFormat.bits < 6 && kTokens >= 3) return FetchAhead::kAlways;
  if (kFormat.bits < 6 && kFormat.sub_blocks > 1) return FetchAhead::kAsked;
  if (kType == DataType::kQ8_0 && kTokens >= 4) return FetchAhead::kAlways;
  return FetchAhead::kNever;
}();
inline constexpr int64_t kAheadBytes = 4096;

// One block of 32 channels of the simple types.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void AddBlock(const TileReader<kType>& w, const ActivationBlock* x,
                               __m512 (&acc)[kTokens]) {
  __m512i isum[kTokens];
  IntegerSums<kType, kTokens>(w, x, isum);
  const __m512 scale = w.Scale();
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    const __m512 product = _mm512_mul_ps(scale, _mm512_set1_ps(x[t].scale));
    acc[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[t]), product, acc[t]);
  }
  if constexpr (TileReader<kType>::kHasMin) {
    const __m512 min = w.Min();
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      acc[t] = _mm512_fmadd_ps(_mm512_set1_ps(x[t].scaled_sum), min, acc[t]);
    }
  }
}

// Sub-block s of a run: products and mins of the block of 256 channels so far.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void AddSubBlock(const TileReader<kType>& w, int64_t s, const ActivationBlock* x,
                                  __m512 (&products)[kTokens], __m512 (&mins)[kTokens]) {
  __m512i isum[kTokens];
  if constexpr (TileReader<kType>::kIsQ6) {
    ScaledSums(w, x, isum);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      products[t] =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[t]), _mm512_set1_ps(x[t].scale), products[t]);
    }
  } else if constexpr (TileReader<kType>::kInPairs) {
    PairedSums(w, s, x, isum);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      products[t] =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[t]), _mm512_set1_ps(x[t].scale), products[t]);
    }
    if constexpr (TileReader<kType>::kHasMin) {
      const __m512i min = w.MinPair(s);
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        const __m512 minima = _mm512_cvtepi32_ps(_mm512_madd_epi16(min, BroadcastHalfSums(x[t])));
        mins[t] = _mm512_fmadd_ps(minima, _mm512_set1_ps(x[t].scale), mins[t]);
      }
    }
  } else {
    IntegerSums<kType, kTokens>(w, x, isum);
    const __m512 scale = w.SubScale(s);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {  // scale * isum is below 2^24: exact in floats
      const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(isum[t]), scale);
      products[t] = _mm512_fmadd_ps(scaled, _mm512_set1_ps(x[t].scale), products[t]);
    }
    if constexpr (TileReader<kType>::kHasMin) {
      const __m512 min = w.SubMin(s);
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        mins[t] = _mm512_fmadd_ps(min, _mm512_set1_ps(x[t].scaled_sum), mins[t]);
      }
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
  bool fetch_ahead;          // where kFetchAhead is kAsked
  StripSums* sums;
};

template <DataType kType, size_t kTokens>
void RunSimpleJob(const SegmentJob& job) {
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
    for (int64_t b = 0; b < in_stripe; ++b, x += kTokens) {
      reader.EnterBlock(b);
      if constexpr (kFetchAhead<kType, kTokens> == FetchAhead::kAlways) {
        reader.template Prefetch<kAheadBytes>();
      }
      AddBlock<kType, kTokens>(reader, x, acc);
      reader.Next();
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) _mm512_store_ps(job.sums->of[t], acc[t]);
}

// One block of 256 channels. The job's sums stay in memory: eight tokens need the registers for the
// block's own.
template <DataType kType, size_t kTokens, bool kFetch>
HW_KERNEL_INLINE void AddKBlock(TileReader<kType>& reader, const ActivationBlock* x,
                                StripSums* sums) {
  using Reader = TileReader<kType>;
  __m512 products[kTokens];
  __m512 mins[kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) products[t] = mins[t] = _mm512_setzero_ps();
  for (int64_t run = 0; run < Reader::kRuns; ++run) {
    reader.EnterRun(run);
    HW_UNROLL
    for (int64_t s = 0; s < Reader::kRunLength; ++s) {
      if constexpr (kFetch) reader.template Prefetch<kAheadBytes>();
      AddSubBlock<kType, kTokens>(reader, s, x, products, mins);
      reader.Next();
      x += kTokens;
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    __m512 acc = _mm512_fmadd_ps(reader.Scale(), products[t], _mm512_load_ps(sums->of[t]));
    if constexpr (Reader::kHasMin) acc = _mm512_fnmadd_ps(reader.Min(), mins[t], acc);
    _mm512_store_ps(sums->of[t], acc);
  }
}

template <DataType kType, size_t kTokens, bool kFetch>
void RunKBlocks(const SegmentJob& job) {
  using Reader = TileReader<kType>;
  const int64_t num_blocks = job.num_channels / Reader::kFormat.BlockChannels();
  const ActivationBlock* x = job.x;
  if (job.first) {
    for (size_t t = 0; t < kTokens; ++t) _mm512_store_ps(job.sums->of[t], _mm512_setzero_ps());
  }
  Reader reader;
  reader.Start(job.codes);
  for (int64_t block = 0; block < num_blocks; block += Reader::kBlocksPerStripe) {
    reader.EnterStripe();
    const int64_t in_stripe = std::min<int64_t>(Reader::kBlocksPerStripe, num_blocks - block);
    for (int64_t b = 0; b < in_stripe; ++b, x += 8 * kTokens) {
      reader.EnterBlock(b);
      AddKBlock<kType, kTokens, kFetch>(reader, x, job.sums);
    }
  }
}

template <DataType kType, size_t kTokens>
void RunKJob(const SegmentJob& job) {
  if constexpr (kFetchAhead<kType, kTokens> == FetchAhead::kAsked) {
    if (!job.fetch_ahead) return RunKBlocks<kType, kTokens, false>(job);
  }
  constexpr bool kFetch = kFetchAhead<kType, kTokens> != FetchAhead::kNever;
  RunKBlocks<kType, kTokens, kFetch>(job);
}

template <DataType kType, size_t kTokens>
void RunJob(const SegmentJob& job) {
  if constexpr (FormatOf(kType).sub_blocks == 1) {
    RunSimpleJob<kType, kTokens>(job);
  } else {
    RunKJob<kType, kTokens>(job);
  }
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
      std::min<int64_t>(args.strip_end, (args.num_rows - row + kStripRows - 1) / kStripRows);
  const int64_t width = args.xq.GroupWidth(token);
  const auto run = kRunJob<kType>[static_cast<size_t>(width - 1)];
  const bool fetch_ahead = !FetchesWeightsByItself();
  StripSums sums[kTileStrips];
  const std::byte* segment = args.tiles + tile * TileBytes(kType, args.num_channels);
  for (int64_t c = 0; c < args.num_channels; c += kSegmentChannels) {
    const int64_t channels = std::min(kSegmentChannels, args.num_channels - c);
    const int64_t strip_bytes = kFormat.RunBytes(channels);
    for (int64_t strip = args.strip_begin; strip < strips; ++strip) {
      run({.codes = segment + strip * strip_bytes,
           .x = args.xq.Block(token, c / 32),
           .num_channels = channels,
           .first = c == 0,
           .fetch_ahead = fetch_ahead,
           .sums = sums + strip});
    }
    segment += kTileStrips * strip_bytes;
  }
  for (int64_t strip = args.strip_begin; strip < strips; ++strip) {
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

#include "kernels/region_end.h"
