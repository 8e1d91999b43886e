#pragma once

// Reads a segment of a strip of a weight tile as vectors: lane = row (docs/formats/tiles.md). This
// is all that a type adds to the product in product.h. Order of calls: for each stripe EnterStripe;
// for each of its blocks EnterBlock; for each run of sub-blocks that share scale words EnterRun;
// for each sub-block Codes and the scales, then Next.

#include <immintrin.h>

#include <array>
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
  static constexpr bool kIsIQ4K = kType == DataType::kIQ4_XS;
  // A scale for every 16 channels, multiplied in pairs of 16-bit words.
  static constexpr bool kInPairs = kType == DataType::kQ2_K || kType == DataType::kQ3_K;
  static constexpr bool kHasMin = HasMinimum(kType);
  // Sub-blocks of 32 channels whose scales come from the same words, and such runs in a block.
  static constexpr int64_t kRunLength = kFormat.sub_blocks == 1 ? 1 : kInPairs ? 2 : 4;
  static constexpr int64_t kRuns = kFormat.sub_blocks / kRunLength;
  static constexpr int64_t kBlocksPerStripe = kFormat.stripe_blocks;
  // What the unsigned bytes that Codes() gives for a table's values are above them.
  static constexpr int kTableOffset = kType == DataType::kMXFP4 ? 16 : 128;

  HW_KERNEL_INLINE TileReader() {}  // NOLINT(modernize-use-equals-default): inlined, in the region

  HW_KERNEL_INLINE void Start(const std::byte* tile) { p_ = tile; }

  HW_KERNEL_INLINE void EnterStripe() {
    header_ = p_;
    p_ += kTileHeaderBytes;
  }

  HW_KERNEL_INLINE void EnterBlock(int64_t in_stripe) {
    if constexpr (kType == DataType::kMXFP4) {
      scale_ = Exponents(header_ + kStripRows * in_stripe);
    } else {
      scale_ = LoadHalves(header_ + 32 * in_stripe);
    }
    if constexpr (kHasMin) min_ = LoadHalves(header_ + 32);
    words_ = p_;
    p_ += kFormat.scales_bytes;
  }

  // The scales of the run's sub-blocks as bytes (IQ4_XS: as nibbles and pairs of bits), mins too.
  HW_KERNEL_INLINE void EnterRun(int64_t run) {
    if constexpr (kType == DataType::kQ2_K) scales_ = LoadVector(words_ + 64 * run);
    if constexpr (kType == DataType::kQ3_K) {
      const __m512i low = ShiftRight(LoadVector(words_ + 64 * (run % 2)), 4 * (run / 2));
      const __m512i high = _mm512_slli_epi32(ShiftRight(LoadVector(words_ + 128), 2 * run), 4);
      scales_ = _mm512_and_si512(_mm512_set1_epi8(0x3f), Choose(_mm512_set1_epi8(0x0f), low, high));
    }
    if constexpr (kIsIQ4K) {
      const auto* high = reinterpret_cast<const __m256i*>(header_ + 32);
      scales_ = ShiftRight(LoadVector(words_), 16 * run);
      mins_ =
          ShiftRight(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_load_si256(high)), 4), 8 * run);
    }
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

  // Scale and min of sub-block s of the run.
  HW_KERNEL_INLINE __m512 SubScale(int64_t s) const {
    if constexpr (kIsIQ4K) {
      const auto shift = static_cast<unsigned>(s);
      const __m512i bits = Choose(_mm512_set1_epi32(0x0f), _mm512_srli_epi32(scales_, 4 * shift),
                                  _mm512_srli_epi32(mins_, 2 * shift));
      return _mm512_cvtepi32_ps(
          _mm512_sub_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(0x3f)), _mm512_set1_epi32(32)));
    }
    return Byte(scales_, s);
  }
  HW_KERNEL_INLINE __m512 SubMin(int64_t s) const { return Byte(mins_, s); }

  // Q6_K: the scale of half h of the sub-block.
  HW_KERNEL_INLINE __m512i HalfScale(int64_t h) const {
    return _mm512_cvtepi8_epi32(
        _mm_load_si128(reinterpret_cast<const __m128i*>(words_ + kStripRows * h)));
  }

  // Q2_K, Q3_K: the scales of the two halves of sub-block s of the run, signed 16-bit words.
  HW_KERNEL_INLINE __m512i ScalePair(int64_t s) const {
    const __m512i pair = BytePair(s);
    if constexpr (kType == DataType::kQ3_K) return _mm512_sub_epi16(pair, _mm512_set1_epi16(32));
    return _mm512_and_si512(pair, _mm512_set1_epi16(0x0f));
  }
  HW_KERNEL_INLINE __m512i MinPair(int64_t s) const { return _mm512_srli_epi16(BytePair(s), 4); }

  // The codes of channel group g (0..7) as unsigned bytes; of a table the values, kTableOffset
  // above.
  HW_KERNEL_INLINE __m512i Codes(int64_t g) const {
    if constexpr (kFormat.bits == 8) return LoadVector(p_ + 64 * g);
    if constexpr (kFormat.bits == 6) return SixBits(g);
    if constexpr (kFormat.bits == 3) return ThreeBits(g);
    if constexpr (kFormat.bits == 2) {
      return _mm512_and_si512(Shifted(LoadVector(p_ + 64 * (g / 4)), 2 * (g % 4)),
                              _mm512_set1_epi8(0x03));
    }
    __m512i code = LoadVector(Nibbles() + 64 * (g % 4));
    if (g >= 4) code = _mm512_srli_epi16(code, 4);
    code = _mm512_and_si512(code, _mm512_set1_epi8(0x0f));
    if constexpr (TableOf(kType) != nullptr) return _mm512_shuffle_epi8(Table(), code);
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

  static HW_KERNEL_INLINE __m512i ShiftRight(__m512i words, int64_t bits) {
    return _mm512_srl_epi32(words, _mm_cvtsi64_si128(bits));
  }

  // By a number that is known when the loops are unrolled; g++ and clang disagree on its type.
  static HW_KERNEL_INLINE __m512i Shifted(__m512i words, int64_t bits) {
    switch (bits) {
      case 2:
        return _mm512_srli_epi16(words, 2);
      case 3:
        return _mm512_srli_epi16(words, 3);
      case 4:
        return _mm512_srli_epi16(words, 4);
      case 5:
        return _mm512_srli_epi16(words, 5);
      case 6:
        return _mm512_srli_epi16(words, 6);
      default:
        return words;
    }
  }

  // MxScale() of sixteen bytes.
  static HW_KERNEL_INLINE __m512 Exponents(const std::byte* p) {
    const __m512i e = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
    const __m512i normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const __mmask16 denormal = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(
        _mm512_mask_sllv_epi32(normal, denormal, _mm512_set1_epi32(0x00200000), e));
  }

  // Bytes 2s and 2s + 1 of every word as two words of 16 bits.
  HW_KERNEL_INLINE __m512i BytePair(int64_t s) const {
    const __m512i index = _mm512_add_epi16(
        _mm512_set4_epi32(static_cast<int32_t>(0x800d800c), static_cast<int32_t>(0x80098008),
                          static_cast<int32_t>(0x80058004), static_cast<int32_t>(0x80018000)),
        _mm512_set1_epi16(static_cast<int16_t>(2 * s)));
    return _mm512_shuffle_epi8(scales_, index);
  }

  // The values of a table as unsigned bytes, in every 128 bits.
  static HW_KERNEL_INLINE __m512i Table() {
    alignas(16) static constexpr auto kBytes = [] {
      std::array<uint8_t, 16> bytes{};
      for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<uint8_t>((*TableOf(kType))[i] + kTableOffset);
      return bytes;
    }();
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(kBytes.data())));
  }

  // Groups 0-5 lie in pairs in three vectors; two bits of group 6 and 7 are on top of the first and
  // the second, their third bits on top of the third.
  HW_KERNEL_INLINE __m512i ThreeBits(int64_t g) const {
    const __m512i seven = _mm512_set1_epi8(0x07);
    if (g < 6) {
      return _mm512_and_si512(Shifted(LoadVector(p_ + 64 * (g / 2)), 3 * (g % 2)), seven);
    }
    const __m512i low = _mm512_srli_epi16(LoadVector(p_ + 64 * (g - 6)), 6);
    const __m512i high = Shifted(LoadVector(p_ + 128), g - 2);
    return _mm512_and_si512(Choose(_mm512_set1_epi8(0x03), low, high), seven);
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
