#pragma once

// Reads a segment of a strip of a weight tile as vectors: lane = row (docs/formats/tiles.md). This
// is all that a type adds to the product in product.h. Order of calls: for each stripe EnterStripe;
// for each of its blocks EnterBlock; for each run of sub-blocks that share scale words EnterRun;
// for each sub-block Scale, Min, Codes, then Next.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/compiler.h"
#include "kernels/tile_layout.h"

// clang-format off
#include "kernels/cpu/target_avx512_begin.h"  // last: nothing else may be inside the region
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
  static constexpr int64_t kRunLength = kIsQ6 ? 2 : kIsQ45K ? 4 : 1;
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

  HW_KERNEL_INLINE void EnterRun(int64_t run) {
    if constexpr (kIsQ6) scales_ = LoadVector(words_ + 64 * run);
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
        const __m512i two = _mm512_set1_epi32(0x30303030);
        scales_ = _mm512_or_si512(_mm512_and_si512(w2, four),
                                  _mm512_and_si512(_mm512_srli_epi32(w0, 2), two));
        mins_ = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(w2, 4), four),
                                _mm512_and_si512(_mm512_srli_epi32(w1, 2), two));
      }
    }
  }

  // d, or d * scale of the sub-block.
  HW_KERNEL_INLINE __m512 Scale() const {
    if constexpr (kIsQ45K) return _mm512_mul_ps(scale_, LowByte(scales_));
    return scale_;
  }

  // m, or dmin * min of the sub-block (to be subtracted).
  HW_KERNEL_INLINE __m512 Min() const {
    if constexpr (kIsQ45K) return _mm512_mul_ps(min_, LowByte(mins_));
    return min_;
  }

  // Q6_K: the scale of half h of the sub-block.
  HW_KERNEL_INLINE __m512 HalfScale(int h) const {
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(scales_, h == 0 ? 24 : 16), 24));
  }

  // The codes of channel group g (0..7) as unsigned bytes.
  HW_KERNEL_INLINE __m512i Codes(int64_t g) const {
    if constexpr (kFormat.bits == 8) return LoadVector(p_ + 64 * g);
    const __m512i four = _mm512_set1_epi8(0x0f);
    const std::byte* nibbles = p_ + (kFormat.bits == 5 ? 64 : 0);
    __m512i code = LoadVector(nibbles + 64 * (g % 4));
    if (g >= 4) code = _mm512_srli_epi16(code, 4);
    code = _mm512_and_si512(code, four);
    if constexpr (kFormat.bits == 5) {
      const __mmask64 fifth =
          _load_mask64(reinterpret_cast<__mmask64*>(const_cast<std::byte*>(p_ + 8 * g)));
      code = _mm512_mask_add_epi8(code, fifth, code, _mm512_set1_epi8(16));
    }
    if constexpr (kFormat.bits == 6) {
      __m512i high = LoadVector(p_ + 256 + 64 * (g % 2));
      if (g / 2 == 0) high = _mm512_slli_epi16(high, 4);
      if (g / 2 == 1) high = _mm512_slli_epi16(high, 2);
      if (g / 2 == 3) high = _mm512_srli_epi16(high, 2);
      // (high & 0x30) | code
      code = _mm512_ternarylogic_epi32(high, _mm512_set1_epi8(0x30), code, 0xea);
    }
    return code;
  }

  HW_KERNEL_INLINE void Next() {
    p_ += kFormat.sub_block_bytes;
    if constexpr (kIsQ6) scales_ = _mm512_srli_epi32(scales_, 16);
    if constexpr (kIsQ45K) {
      scales_ = _mm512_srli_epi32(scales_, 8);
      mins_ = _mm512_srli_epi32(mins_, 8);
    }
  }

 private:
  static HW_KERNEL_INLINE __m512 LowByte(__m512i words) {
    return _mm512_cvtepi32_ps(_mm512_and_si512(words, _mm512_set1_epi32(0xff)));
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

#include "kernels/cpu/target_end.h"
