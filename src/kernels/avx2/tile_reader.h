#pragma once

// Reads eight of the sixteen rows of a weight tile as 256-bit vectors; otherwise as
// kernels/avx512/tile_reader.h, whose order of calls it shares.

#include <immintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/compiler.h"
#include "kernels/tile_layout.h"

// clang-format off
#include "kernels/avx2/region_begin.h"  // last: nothing else may be inside the region
// clang-format on

namespace headway::kernels::avx2 {

HW_KERNEL_INLINE __m256i LoadVector(const std::byte* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}

HW_KERNEL_INLINE __m256 LoadHalves(const std::byte* p) {
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

template <DataType kType>
class TileReader {
 public:
  static constexpr TileFormat kFormat = FormatOf(kType);
  static constexpr bool kIsQ6 = kType == DataType::kQ6_K;
  static constexpr bool kIsQ45K = kType == DataType::kQ4_K || kType == DataType::kQ5_K;
  static constexpr bool kIsIQ4K = kType == DataType::kIQ4_XS;
  static constexpr bool kInPairs = kType == DataType::kQ2_K || kType == DataType::kQ3_K;
  static constexpr bool kHasMin = HasMinimum(kType);
  // Whether Codes() gives signed bytes.
  static constexpr bool kSigned =
      kType == DataType::kQ8_0 || kType == DataType::kIQ4_NL || kType == DataType::kIQ4_XS;
  static constexpr int kTableOffset = kType == DataType::kMXFP4 ? 16 : 0;
  static constexpr int64_t kRunLength = kFormat.sub_blocks == 1 ? 1 : kInPairs ? 2 : 4;
  static constexpr int64_t kRuns = kFormat.sub_blocks / kRunLength;
  static constexpr int64_t kBlocksPerStripe = kFormat.stripe_blocks;

  HW_KERNEL_INLINE TileReader() {}  // NOLINT(modernize-use-equals-default): in the region

  // Rows [8 * half, 8 * half + 8).
  HW_KERNEL_INLINE void Start(const std::byte* tile, int64_t half) {
    p_ = tile;
    half_ = half;
  }

  HW_KERNEL_INLINE void EnterStripe() {
    header_ = p_;
    p_ += kTileHeaderBytes;
  }

  HW_KERNEL_INLINE void EnterBlock(int64_t in_stripe) {
    if constexpr (kType == DataType::kMXFP4) {
      scale_ = Exponents(header_ + kStripRows * in_stripe + 8 * half_);
    } else {
      scale_ = LoadHalves(header_ + 32 * in_stripe + 16 * half_);
    }
    if constexpr (kHasMin) min_ = LoadHalves(header_ + 32 + 16 * half_);
    words_ = p_ + (kIsQ6 ? 8 : 32) * half_;
    p_ += kFormat.scales_bytes;
  }

  HW_KERNEL_INLINE void EnterRun(int64_t run) {
    if constexpr (kType == DataType::kQ2_K) scales_ = LoadVector(words_ + 64 * run);
    if constexpr (kType == DataType::kQ3_K) {
      const __m256i low = ShiftRight(LoadVector(words_ + 64 * (run % 2)), 4 * (run / 2));
      const __m256i high = _mm256_slli_epi32(ShiftRight(LoadVector(words_ + 128), 2 * run), 4);
      scales_ = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(0x0f)),
                                _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
    }
    if constexpr (kIsIQ4K) {
      const auto* high = reinterpret_cast<const __m128i*>(header_ + 32 + 16 * half_);
      scales_ = ShiftRight(LoadVector(words_), 16 * run);
      mins_ =
          ShiftRight(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_load_si128(high)), 4), 8 * run);
    }
    if constexpr (kIsQ45K) {
      const __m256i w0 = LoadVector(words_);
      const __m256i w1 = LoadVector(words_ + 64);
      if (run == 0) {
        const __m256i six = _mm256_set1_epi32(0x3f3f3f3f);
        scales_ = _mm256_and_si256(w0, six);
        mins_ = _mm256_and_si256(w1, six);
      } else {
        const __m256i w2 = LoadVector(words_ + 128);
        const __m256i four = _mm256_set1_epi32(0x0f0f0f0f);
        const __m256i two = _mm256_set1_epi32(0x30303030);
        scales_ = _mm256_or_si256(_mm256_and_si256(w2, four),
                                  _mm256_and_si256(_mm256_srli_epi32(w0, 2), two));
        mins_ = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(w2, 4), four),
                                _mm256_and_si256(_mm256_srli_epi32(w1, 2), two));
      }
    }
  }

  HW_KERNEL_INLINE __m256 Scale() const { return scale_; }
  HW_KERNEL_INLINE __m256 Min() const { return min_; }

  HW_KERNEL_INLINE __m256 SubScale() const {
    if constexpr (kIsIQ4K) {
      const __m256i low = _mm256_and_si256(scales_, _mm256_set1_epi32(0x0f));
      const __m256i high = _mm256_and_si256(mins_, _mm256_set1_epi32(0x30));
      return _mm256_cvtepi32_ps(
          _mm256_sub_epi32(_mm256_or_si256(low, high), _mm256_set1_epi32(32)));
    }
    return LowByte(scales_);
  }
  HW_KERNEL_INLINE __m256 SubMin() const { return LowByte(mins_); }

  HW_KERNEL_INLINE __m256i HalfScale(int64_t h) const {
    return _mm256_cvtepi8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(words_ + kStripRows * h)));
  }

  // Q2_K, Q3_K: the scale of half h (0, 1) in both 16-bit words of a lane; the scales of both halves
  // in one each; likewise the minima.
  HW_KERNEL_INLINE __m256i ScaleTwice(int64_t h) const {
    return Scales(_mm256_set1_epi32(static_cast<int32_t>(h == 0 ? 0x80008000U : 0x80018001U)));
  }
  HW_KERNEL_INLINE __m256i ScalePair() const {
    return Scales(_mm256_set1_epi32(static_cast<int32_t>(0x80018000U)));
  }
  HW_KERNEL_INLINE __m256i MinPair() const {
    return _mm256_srli_epi16(BytesOf(_mm256_set1_epi32(static_cast<int32_t>(0x80018000U))), 4);
  }

  // The codes of channel group g (0..7) as unsigned bytes, or as signed ones (kSigned); of a table
  // the values, kTableOffset above.
  HW_KERNEL_INLINE __m256i Codes(int64_t g) const {
    const std::byte* p = p_ + 32 * half_;
    if constexpr (kFormat.bits == 8) {
      return _mm256_xor_si256(LoadVector(p + 64 * g), _mm256_set1_epi8(static_cast<char>(0x80)));
    }
    if constexpr (kFormat.bits == 6) return SixBits(p + 192 * (g / 4), g % 4);
    if constexpr (kFormat.bits == 3) return ThreeBits(p, g);
    if constexpr (kFormat.bits == 2) {
      return _mm256_and_si256(
          _mm256_srli_epi16(LoadVector(p + 64 * (g / 4)), static_cast<int>(2 * (g % 4))),
          _mm256_set1_epi8(0x03));
    }
    __m256i code = LoadVector(p + (kFormat.bits == 5 ? 64 : 0) + 64 * (g % 4));
    if (g >= 4) code = _mm256_srli_epi16(code, 4);
    code = _mm256_and_si256(code, _mm256_set1_epi8(0x0f));
    if constexpr (kFormat.bits == 5) code = _mm256_or_si256(code, FifthBits(g));
    if constexpr (TableOf(kType) != nullptr) return _mm256_shuffle_epi8(Table(), code);
    return code;
  }

  HW_KERNEL_INLINE void Next() {
    p_ += kFormat.sub_block_bytes;
    if constexpr (kIsQ6) words_ += 2 * kStripRows;
    if constexpr (kIsQ45K) {
      scales_ = _mm256_srli_epi32(scales_, 8);
      mins_ = _mm256_srli_epi32(mins_, 8);
    }
    if constexpr (kIsIQ4K) {
      scales_ = _mm256_srli_epi32(scales_, 4);
      mins_ = _mm256_srli_epi32(mins_, 2);
    }
    if constexpr (kInPairs) scales_ = _mm256_srli_epi32(scales_, 16);
  }

 private:
  static HW_KERNEL_INLINE __m256i ShiftRight(__m256i words, int64_t bits) {
    return _mm256_srl_epi32(words, _mm_cvtsi64_si128(bits));
  }

  // MxScale() of eight bytes.
  static HW_KERNEL_INLINE __m256 Exponents(const std::byte* p) {
    const __m256i e = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const __m256i denormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i large = _mm256_cmpgt_epi32(e, _mm256_set1_epi32(1));
    return _mm256_castsi256_ps(_mm256_blendv_epi8(denormal, normal, large));
  }

  // The bytes of every word of the run's scales that `bytes` names, counted inside the word.
  HW_KERNEL_INLINE __m256i BytesOf(__m256i bytes) const {
    const __m256i word = _mm256_setr_epi32(0, 0x00040004, 0x00080008, 0x000c000c,  //
                                           0, 0x00040004, 0x00080008, 0x000c000c);
    return _mm256_shuffle_epi8(scales_, _mm256_add_epi16(bytes, word));
  }
  HW_KERNEL_INLINE __m256i Scales(__m256i bytes) const {
    if constexpr (kType == DataType::kQ3_K)
      return _mm256_sub_epi16(BytesOf(bytes), _mm256_set1_epi16(32));
    return _mm256_and_si256(BytesOf(bytes), _mm256_set1_epi16(0x0f));
  }

  // The values of a table, in both 128 bits.
  static HW_KERNEL_INLINE __m256i Table() {
    alignas(16) static constexpr auto kBytes = [] {
      std::array<int8_t, 16> bytes{};
      for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<int8_t>((*TableOf(kType))[i] + kTableOffset);
      return bytes;
    }();
    return _mm256_broadcastsi128_si256(
        _mm_load_si128(reinterpret_cast<const __m128i*>(kBytes.data())));
  }

  // Groups 0-5 lie in pairs in three vectors; two bits of group 6 and 7 are on top of the first and
  // the second, their third bits on top of the third.
  static HW_KERNEL_INLINE __m256i ThreeBits(const std::byte* p, int64_t g) {
    if (g < 6) {
      return _mm256_and_si256(
          _mm256_srli_epi16(LoadVector(p + 64 * (g / 2)), static_cast<int>(3 * (g % 2))),
          _mm256_set1_epi8(0x07));
    }
    const __m256i low = _mm256_and_si256(_mm256_srli_epi16(LoadVector(p + 64 * (g - 6)), 6),
                                         _mm256_set1_epi8(0x03));
    const __m256i high = _mm256_and_si256(
        _mm256_srli_epi16(LoadVector(p + 128), static_cast<int>(g - 2)), _mm256_set1_epi8(0x04));
    return _mm256_or_si256(low, high);
  }

  static HW_KERNEL_INLINE __m256 LowByte(__m256i words) {
    return _mm256_cvtepi32_ps(_mm256_and_si256(words, _mm256_set1_epi32(0xff)));
  }

  // Groups 0-2 of a half have vectors of their own; two bits of group 3 are on top of each.
  static HW_KERNEL_INLINE __m256i SixBits(const std::byte* half, int64_t g) {
    if (g < 3) {
      return _mm256_and_si256(LoadVector(half + 64 * g), _mm256_set1_epi8(0x3f));
    }
    const __m256i low =
        _mm256_and_si256(_mm256_srli_epi16(LoadVector(half), 6), _mm256_set1_epi8(0x03));
    const __m256i middle =
        _mm256_and_si256(_mm256_srli_epi16(LoadVector(half + 64), 4), _mm256_set1_epi8(0x0c));
    const __m256i high =
        _mm256_and_si256(_mm256_srli_epi16(LoadVector(half + 128), 2), _mm256_set1_epi8(0x30));
    return _mm256_or_si256(_mm256_or_si256(low, middle), high);
  }

  // Bit i of the 32-bit mask as 16 in byte i: spread bytes, pick the bit, compare.
  HW_KERNEL_INLINE __m256i FifthBits(int64_t g) const {
    int32_t bits;
    std::memcpy(&bits, p_ + 8 * g + 4 * half_, sizeof bits);
    const __m256i spread = _mm256_shuffle_epi8(
        _mm256_set1_epi32(bits),
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    const __m256i bit = _mm256_set1_epi64x(static_cast<int64_t>(0x8040201008040201U));
    const __m256i present = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    return _mm256_and_si256(present, _mm256_set1_epi8(16));
  }

  const std::byte* p_ = nullptr;
  int64_t half_ = 0;
  const std::byte* header_ = nullptr;
  const std::byte* words_ = nullptr;
  __m256 scale_{};
  __m256 min_{};
  __m256i scales_{};
  __m256i mins_{};
};

}  // namespace headway::kernels::avx2

#include "kernels/region_end.h"
