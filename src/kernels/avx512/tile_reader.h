#pragma once

// Reads a segment of a strip of a weight tile as vectors: lane = row (docs/formats/tiles.md). This
// is all that a type adds to the product in product.h. Order of calls: for each stripe EnterStripe;
// for each of its blocks EnterBlock; for each run of sub-blocks that share scale words EnterRun;
// for each sub-block Codes and the scales, then Next.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/compiler.h"
#include "kernels/tile_layout.h"

// clang-format off
#include "kernels/avx512/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx512 {

HW_KERNEL_INLINE __m512i LoadVector(const std::byte* p) { return _mm512_load_si512(p); }

HW_KERNEL_INLINE __m512 LoadHalves(const std::byte* p) {
  return _mm512_cvtph_ps(_mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
}

template <DataType kType>
class TileReader {
 public:
  static constexpr TileFormat kFormat = FormatOf(kType);
  static constexpr bool kIsQ6 = kType == DataType::kQ6_K;
  static constexpr bool kIsQ45K = kType == DataType::kQ4_K || kType == DataType::kQ5_K;
  static constexpr bool kHasMin = !kFormat.paired;
  // Sub-blocks of 32 channels whose scales come from the same words, and such runs in a block.
  static constexpr int64_t kRunLength = kFormat.sub_blocks == 1 ? 1 : 4;
  static constexpr int64_t kRuns = kFormat.sub_blocks / kRunLength;
  static constexpr int64_t kBlocksPerStripe = kFormat.paired ? 2 : 1;

  HW_KERNEL_INLINE TileReader() {}  // NOLINT(modernize-use-equals-default): inlined, in the region

  HW_KERNEL_INLINE void Start(const std::byte* tile) { p_ = tile; }

  HW_KERNEL_INLINE void EnterStripe() {
    header_ = p_;
    p_ += kTileHeaderBytes;
  }

  HW_KERNEL_INLINE void EnterBlock(int64_t in_stripe) {
    scale_ = LoadHalves(header_ + 32 * in_stripe);
    if constexpr (kHasMin) min_ = LoadHalves(header_ + 32);
    words_ = p_;
    p_ += kFormat.scales_bytes;
  }

  // Q4_K, Q5_K: the scales and mins of four sub-blocks as bytes.
  HW_KERNEL_INLINE void EnterRun(int64_t run) {
    if constexpr (kIsQ45K) {
      const __m512i w0 = LoadVector(words_);
      const __m512i w1 = LoadVector(words_ + 64);
      if (run == 0) {
        const __m512i six = _mm512_set1_epi32(0x3f3f3f3f);
        scales_ = _mm512_and_si512(w0, six);
        mins_ = _mm512_and_si512(w1, six);
      } else {
        const __m512i w2 = LoadVector(words_ + 128);
        const __m512i four = _mm512_set1_epi32(0x0f0f0f0f);
        // (w2 & 0x0f) | ((w0 >> 2) & 0x30): a choice by bit, then two bits too many.
        const __m512i six = _mm512_set1_epi32(0x3f3f3f3f);
        scales_ = _mm512_and_si512(six, Choose(four, w2, _mm512_srli_epi32(w0, 2)));
        mins_ =
            _mm512_and_si512(six, Choose(four, _mm512_srli_epi32(w2, 4), _mm512_srli_epi32(w1, 2)));
      }
    }
  }

  // d and m (dmin) of the block.
  HW_KERNEL_INLINE __m512 Scale() const { return scale_; }
  HW_KERNEL_INLINE __m512 Min() const { return min_; }

  // Q4_K, Q5_K: scale and min of sub-block s of the run.
  HW_KERNEL_INLINE __m512 SubScale(int64_t s) const { return Byte(scales_, s); }
  HW_KERNEL_INLINE __m512 SubMin(int64_t s) const { return Byte(mins_, s); }

  // Q6_K: the scale of half h of the sub-block.
  HW_KERNEL_INLINE __m512i HalfScale(int64_t h) const {
    return _mm512_cvtepi8_epi32(
        _mm_load_si128(reinterpret_cast<const __m128i*>(words_ + kStripRows * h)));
  }

  // The codes of channel group g (0..7) as unsigned bytes.
  HW_KERNEL_INLINE __m512i Codes(int64_t g) const {
    if constexpr (kFormat.bits == 8) return LoadVector(p_ + 64 * g);
    if constexpr (kFormat.bits == 6) return SixBits(g);
    __m512i code = LoadVector(Nibbles() + 64 * (g % 4));
    if (g >= 4) code = _mm512_srli_epi16(code, 4);
    code = _mm512_and_si512(code, _mm512_set1_epi8(0x0f));
    if constexpr (kFormat.bits == 5) {
      const __mmask64 fifth =
          _load_mask64(reinterpret_cast<__mmask64*>(const_cast<std::byte*>(p_ + 8 * g)));
      code = _mm512_mask_add_epi8(code, fifth, code, _mm512_set1_epi8(16));
    }
    return code;
  }

  // Four bits: the codes of channel group g (0..3) in the low nibbles, of g + 4 in the high ones.
  HW_KERNEL_INLINE __m512i NibblePairs(int64_t g) const {
    __m512i both = LoadVector(p_ + 64 * g);
    // No instruction: keeps the compiler from loading twice to save a register.
    asm("" : "+v"(both));  // NOLINT(hicpp-no-assembler)
    return both;
  }

  // Asks for the codes that stand where the current sub-block's will, kAhead bytes later; the
  // memory behind the last tile may be meant.
  template <int64_t kAhead>
  HW_KERNEL_INLINE void Prefetch() const {
    const auto from = reinterpret_cast<uintptr_t>(p_) + kAhead;
    HW_UNROLL
    for (uintptr_t i = 0; i < kFormat.sub_block_bytes; i += 64) {
      _mm_prefetch(reinterpret_cast<const char*>(from + i), _MM_HINT_T0);
    }
  }

  HW_KERNEL_INLINE void Next() {
    p_ += kFormat.sub_block_bytes;
    if constexpr (kIsQ6) words_ += 2 * kStripRows;
  }

 private:
  // mask ? yes : no, bit by bit.
  static HW_KERNEL_INLINE __m512i Choose(__m512i mask, __m512i yes, __m512i no) {
    return _mm512_ternarylogic_epi32(mask, yes, no, 0xca);
  }

  // Byte s of every word as a float; the other bytes of a word are shuffled away (index 0x80).
  static HW_KERNEL_INLINE __m512 Byte(__m512i words, int64_t s) {
    const __m512i index = _mm512_add_epi32(
        _mm512_set4_epi32(static_cast<int32_t>(0x8080800c), static_cast<int32_t>(0x80808008),
                          static_cast<int32_t>(0x80808004), static_cast<int32_t>(0x80808000)),
        _mm512_set1_epi32(static_cast<int32_t>(s)));
    return _mm512_cvtepi32_ps(_mm512_shuffle_epi8(words, index));
  }

  HW_KERNEL_INLINE const std::byte* Nibbles() const { return p_ + (kFormat.bits == 5 ? 64 : 0); }

  // Groups 0-2 of a half have vectors of their own; two bits of group 3 are on top of each.
  HW_KERNEL_INLINE __m512i SixBits(int64_t g) const {
    const __m512i six = _mm512_set1_epi8(0x3f);
    const std::byte* half = p_ + 192 * (g / 4);
    if (g % 4 < 3) return _mm512_and_si512(LoadVector(half + 64 * (g % 4)), six);
    const __m512i low = _mm512_srli_epi16(LoadVector(half), 6);
    const __m512i middle = _mm512_srli_epi16(LoadVector(half + 64), 4);
    const __m512i high = _mm512_srli_epi16(LoadVector(half + 128), 2);
    const __m512i four = Choose(_mm512_set1_epi8(0x03), low, middle);
    return _mm512_and_si512(Choose(_mm512_set1_epi8(0x0f), four, high), six);
  }

  const std::byte* p_ = nullptr;
  const std::byte* header_ = nullptr;
  const std::byte* words_ = nullptr;
  __m512 scale_{};
  __m512 min_{};
  __m512i scales_{};
  __m512i mins_{};
};

}  // namespace headway::kernels::avx512

#include "kernels/region_end.h"
