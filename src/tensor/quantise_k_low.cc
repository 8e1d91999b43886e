// Q2_K and Q3_K: sixteen sub-blocks of 16 elements.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/quantise_k.h"
#include "tensor/scale_search.h"

namespace headway {
namespace {

constexpr size_t kNumSmallSubBlocks = 16;

// The low two bits of code i go to bits 2k, 2k + 1 of q[32h + j] (BlockQ2_K).
void PackTwoBits(const uint8_t codes[256], uint8_t q[64]) {
  std::memset(q, 0, 64);
  for (size_t i = 0; i < 256; ++i) {
    uint8_t& byte = q[i / 128 * 32 + i % 32];
    byte = static_cast<uint8_t>(byte | (codes[i] & 3) << (i % 128 / 32 * 2));
  }
}

}  // namespace

void EncodeBlock(const float* x, BlockQ2_K& block) {
  std::array<AffineFit, kNumSmallSubBlocks> fits{};
  float largest_scale = 0.0F;
  float largest_min = 0.0F;
  for (size_t s = 0; s < fits.size(); ++s) {
    fits[s] = FitAffine(x + 16 * s, 16, 3, true);
    largest_scale = std::max(largest_scale, fits[s].scale);
    largest_min = std::max(largest_min, -fits[s].offset);
  }
  block.d = FiniteF16(largest_scale / 15.0F);
  block.dmin = FiniteF16(largest_min / 15.0F);
  const float d = ToFloat(block.d);
  const float dmin = ToFloat(block.dmin);
  uint8_t codes[256];
  for (size_t s = 0; s < fits.size(); ++s) {
    const float scale = d == 0.0F ? 0.0F : RoundClamped(fits[s].scale / d, 0.0F, 15.0F);
    const float min = dmin == 0.0F ? 0.0F : RoundClamped(-fits[s].offset / dmin, 0.0F, 15.0F);
    block.scales[s] = static_cast<uint8_t>(static_cast<int>(scale) | static_cast<int>(min) << 4);
    const float inverse = d * scale == 0.0F ? 0.0F : 1.0F / (d * scale);
    for (size_t i = 16 * s; i < 16 * s + 16; ++i) {
      codes[i] = static_cast<uint8_t>(RoundClamped((x[i] + dmin * min) * inverse, 0.0F, 3.0F));
    }
  }
  PackTwoBits(codes, block.q);
}

void EncodeBlock(const float* x, BlockQ3_K& block) {
  std::array<float, kNumSmallSubBlocks> fits{};
  float extreme = 0.0F;  // the largest scale by magnitude becomes -32 steps exactly
  for (size_t s = 0; s < fits.size(); ++s) {
    fits[s] = FitSymmetric(x + 16 * s, 16, 3);
    if (std::fabs(fits[s]) > std::fabs(extreme)) extreme = fits[s];
  }
  block.d = FiniteF16(extreme / -32.0F);
  const float d = ToFloat(block.d);
  std::memset(block.high, 0, sizeof block.high);
  std::memset(block.scales, 0, sizeof block.scales);
  uint8_t codes[256];
  for (size_t s = 0; s < fits.size(); ++s) {
    const float scale = d == 0.0F ? 0.0F : RoundClamped(fits[s] / d, -32.0F, 31.0F);
    const int stored = static_cast<int>(scale) + 32;
    uint8_t& low = block.scales[s % 8];
    low = static_cast<uint8_t>(low | (stored & 15) << (s / 8 * 4));
    uint8_t& high = block.scales[8 + s % 4];
    high = static_cast<uint8_t>(high | (stored >> 4) << (s / 4 * 2));
    const float inverse = d * scale == 0.0F ? 0.0F : 1.0F / (d * scale);
    for (size_t i = 16 * s; i < 16 * s + 16; ++i) {
      const int code = static_cast<int>(RoundClamped(x[i] * inverse, -4.0F, 3.0F)) + 4;
      codes[i] = static_cast<uint8_t>(code);
      uint8_t& third = block.high[i % 32];
      third = static_cast<uint8_t>(third | (code >> 2) << (i / 32));
    }
  }
  PackTwoBits(codes, block.q);
}

}  // namespace headway
