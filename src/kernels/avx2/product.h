#pragma once

// The product of quantised tiles with quantised tokens without an 8-bit multiply-add into 32 bits:
// pairs go to 16 bits (maddubs) first. It saturates at 32767, so
//   8-bit codes: |w| * (x with w's sign), at most 2 * 128 * 127 = 32512: widened at once
//   6-bit codes: 2 groups of 2 * 63 * 127 stay below it: widened after two
//   5-bit codes: widened after 4 groups
//   4-bit codes: widened after all 8
//   a table's values: as 8-bit codes (IQ4), or as 5-bit ones (MXFP4, up to 28)
//   2- and 3-bit codes: widened after the 4 groups that share a scale, by the scale
// Both halves of a tile (eight rows each) pass together with up to four tokens.

#include <algorithm>

#include "kernels/avx2/tile_reader.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"

// clang-format off
#include "kernels/avx2/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx2 {

// What an integer sum starts from; Q8_0 codes and the values of IQ4 are signed here.
template <DataType kType>
HW_KERNEL_INLINE __m256i StartOf(const ActivationBlock& x, int half) {
  if constexpr (kType == DataType::kQ5_0 || kType == DataType::kMXFP4)
    return _mm256_set1_epi32(x.offset_q5);
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
constexpr int64_t kGroupsPerWidening = TileReader<kType>::kSigned  ? 1
                                       : kType == DataType::kMXFP4 ? 4
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
      constexpr bool kSigned = TileReader<kType>::kSigned;
      const __m256i magnitude = kSigned ? _mm256_abs_epi8(codes) : codes;  // -128 becomes 128
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        __m256i group = BroadcastGroup(x[t], g);
        if constexpr (kSigned) group = _mm256_sign_epi8(group, codes);
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

// Q6_K: scale_0 * isum_0 + scale_1 * isum_1 over the two halves of a sub-block.
template <size_t kTokens>
HW_KERNEL_INLINE void ScaledSums(const TileReader<DataType::kQ6_K>& w, const ActivationBlock* x,
                                 __m256i (&isum)[kTokens]) {
  constexpr DataType kType = DataType::kQ6_K;
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
}

// The sums of a token's two halves in every lane.
HW_KERNEL_INLINE __m256i BroadcastHalfSums(const ActivationBlock& x) {
  int32_t both;
  std::memcpy(&both, x.half_sums, sizeof both);
  return _mm256_set1_epi32(both);
}

// Q2_K, Q3_K: scale_0 * isum_0 + scale_1 * isum_1 over the two halves, whose scales widen the 16-bit
// sums. What Q3_K's codes are too large, 4, is taken off by the halves' sums.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void PairedSums(const TileReader<kType>& w, const ActivationBlock* x,
                                 __m256i (&isum)[kTokens]) {
  if constexpr (kType == DataType::kQ3_K) {
    const __m256i fourfold = _mm256_slli_epi16(w.ScalePair(), 2);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      isum[t] = _mm256_sub_epi32(_mm256_setzero_si256(),
                                 _mm256_madd_epi16(fourfold, BroadcastHalfSums(x[t])));
    }
  } else {
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) isum[t] = _mm256_setzero_si256();
  }
  HW_UNROLL
  for (int64_t h = 0; h < 2; ++h) {
    __m256i pairs[kTokens];
    HW_UNROLL
    for (int64_t g = 4 * h; g < 4 * h + 4; ++g) {
      const __m256i codes = w.Codes(g);
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        const __m256i products = _mm256_maddubs_epi16(codes, BroadcastGroup(x[t], g));
        pairs[t] = g == 4 * h ? products : _mm256_add_epi16(pairs[t], products);
        KeepOrder(pairs[t]);
      }
    }
    const __m256i scale = w.ScaleTwice(h);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      isum[t] = _mm256_add_epi32(isum[t], _mm256_madd_epi16(pairs[t], scale));
      KeepOrder(isum[t]);
    }
  }
}

// One block of 32 channels of eight rows, of the simple types.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void AddBlock(const TileReader<kType>& w, const ActivationBlock* x,
                               __m256 (&acc)[kTokens]) {
  __m256i isum[kTokens];
  IntegerSums<kType, kTokens, 0, 8>(w, x, isum);
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
      acc[t] = _mm256_fmadd_ps(_mm256_set1_ps(x[t].scaled_sum), min, acc[t]);
    }
  }
}

// A sub-block: products and mins of the block of 256 channels so far.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void AddSubBlock(const TileReader<kType>& w, const ActivationBlock* x,
                                  __m256 (&products)[kTokens], __m256 (&mins)[kTokens]) {
  __m256i isum[kTokens];
  if constexpr (TileReader<kType>::kIsQ6) {
    ScaledSums(w, x, isum);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      products[t] =
          _mm256_fmadd_ps(_mm256_cvtepi32_ps(isum[t]), _mm256_set1_ps(x[t].scale), products[t]);
    }
  } else if constexpr (TileReader<kType>::kInPairs) {
    PairedSums(w, x, isum);
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {
      products[t] =
          _mm256_fmadd_ps(_mm256_cvtepi32_ps(isum[t]), _mm256_set1_ps(x[t].scale), products[t]);
    }
    if constexpr (TileReader<kType>::kHasMin) {
      const __m256i min = w.MinPair();
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        const __m256 minima = _mm256_cvtepi32_ps(_mm256_madd_epi16(min, BroadcastHalfSums(x[t])));
        mins[t] = _mm256_fmadd_ps(minima, _mm256_set1_ps(x[t].scale), mins[t]);
      }
    }
  } else {
    IntegerSums<kType, kTokens, 0, 8>(w, x, isum);
    const __m256 scale = w.SubScale();
    HW_UNROLL
    for (size_t t = 0; t < kTokens; ++t) {  // scale * isum is below 2^24: exact in floats
      const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(isum[t]), scale);
      products[t] = _mm256_fmadd_ps(scaled, _mm256_set1_ps(x[t].scale), products[t]);
    }
    if constexpr (TileReader<kType>::kHasMin) {
      const __m256 min = w.SubMin();
      HW_UNROLL
      for (size_t t = 0; t < kTokens; ++t) {
        mins[t] = _mm256_fmadd_ps(min, _mm256_set1_ps(x[t].scaled_sum), mins[t]);
      }
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
void RunSimpleJob(const SegmentJob& job) {
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
    for (int64_t b = 0; b < in_stripe; ++b, x += job.x_stride) {
      for (Reader& reader : readers) reader.EnterBlock(b);
      AddBlock<kType, kTokens>(readers[0], x, low);
      ForgetLoads();
      AddBlock<kType, kTokens>(readers[1], x, high);
      for (Reader& reader : readers) reader.Next();
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    _mm256_store_ps(job.sums[t], low[t]);
    _mm256_store_ps(job.sums[t] + 8, high[t]);
  }
}

// One block of 256 channels of eight rows, then the other eight from the first-level cache: the
// sums of both do not fit the registers.
template <DataType kType, size_t kTokens>
HW_KERNEL_INLINE void AddKBlock(TileReader<kType>& reader, const ActivationBlock* x,
                                int64_t x_stride, float* sums) {
  using Reader = TileReader<kType>;
  __m256 products[kTokens];
  __m256 mins[kTokens];
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) products[t] = mins[t] = _mm256_setzero_ps();
  for (int64_t run = 0; run < Reader::kRuns; ++run) {
    reader.EnterRun(run);
    for (int64_t s = 0; s < Reader::kRunLength; ++s, x += x_stride) {
      AddSubBlock<kType, kTokens>(reader, x, products, mins);
      reader.Next();
    }
  }
  HW_UNROLL
  for (size_t t = 0; t < kTokens; ++t) {
    float* sum = sums + static_cast<int64_t>(t) * kStripRows;
    __m256 acc = _mm256_fmadd_ps(reader.Scale(), products[t], _mm256_load_ps(sum));
    if constexpr (Reader::kHasMin) acc = _mm256_fnmadd_ps(reader.Min(), mins[t], acc);
    _mm256_store_ps(sum, acc);
  }
}

template <DataType kType, size_t kTokens>
void RunKJob(const SegmentJob& job) {
  using Reader = TileReader<kType>;
  const int64_t num_blocks = job.num_channels / Reader::kFormat.BlockChannels();
  const ActivationBlock* x = job.x;
  if (job.first) std::memset(job.sums, 0, sizeof(float) * kTokens * kStripRows);
  Reader readers[2];
  readers[0].Start(job.codes, 0);
  readers[1].Start(job.codes, 1);
  for (int64_t block = 0; block < num_blocks; block += Reader::kBlocksPerStripe) {
    for (Reader& reader : readers) reader.EnterStripe();
    const int64_t in_stripe = std::min<int64_t>(Reader::kBlocksPerStripe, num_blocks - block);
    for (int64_t b = 0; b < in_stripe; ++b, x += 8 * job.x_stride) {
      for (int64_t half = 0; half < 2; ++half) {
        readers[half].EnterBlock(b);
        AddKBlock<kType, kTokens>(readers[half], x, job.x_stride, job.sums[0] + 8 * half);
      }
    }
  }
}

template <DataType kType, size_t kTokens>
void RunJob(const SegmentJob& job) {
  if constexpr (FormatOf(kType).sub_blocks == 1) {
    RunSimpleJob<kType, kTokens>(job);
  } else {
    RunKJob<kType, kTokens>(job);
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
      std::min<int64_t>(args.strip_end, (args.num_rows - row + kStripRows - 1) / kStripRows);
  alignas(32) float sums[kTileStrips][kTokens][kStripRows];
  const std::byte* segment = args.tiles + tile * TileBytes(kType, args.num_channels);
  for (int64_t c = 0; c < args.num_channels; c += kSegmentChannels) {
    const int64_t channels = std::min(kSegmentChannels, args.num_channels - c);
    const int64_t strip_bytes = kFormat.RunBytes(channels);
    for (int64_t strip = args.strip_begin; strip < strips; ++strip) {
      RunJob<kType, kTokens>({.codes = segment + strip * strip_bytes,
                              .x = args.xq.Block(token, c / 32),
                              .x_stride = args.xq.GroupWidth(token),
                              .num_channels = channels,
                              .first = c == 0,
                              .sums = sums[strip]});
    }
    segment += kTileStrips * strip_bytes;
  }
  for (int64_t strip = args.strip_begin; strip < strips; ++strip) {
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

#include "kernels/region_end.h"
