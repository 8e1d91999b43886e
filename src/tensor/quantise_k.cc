#include "tensor/quantise_k.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/scale_search.h"

namespace headway {
namespace {

constexpr int kNumSubBlocks = 8;  // of 32 elements, Q4_K and Q5_K

// The inverse of UnpackSubScale.
void PackSubScales(const std::array<SubScale, kNumSubBlocks>& subs, uint8_t scales[12]) {
  for (size_t s = 0; s < 4; ++s) {
    const SubScale low = subs[s];
    const SubScale high = subs[s + 4];
    scales[s] = static_cast<uint8_t>(low.scale | (high.scale >> 4) << 6);
    scales[s + 4] = static_cast<uint8_t>(low.min | (high.min >> 4) << 6);
    scales[s + 8] = static_cast<uint8_t>((high.scale & 15) | (high.min & 15) << 4);
  }
}

struct AffineHeader {
  F16 d;
  F16 dmin;
  std::array<SubScale, kNumSubBlocks> subs;
};

// Fits every sub-block, then rounds the eight scales and mins to six bits of a common step.
AffineHeader FitHeader(const float* x, int levels) {
  std::array<AffineFit, kNumSubBlocks> fits{};
  float largest_scale = 0.0F;
  float largest_min = 0.0F;
  for (size_t s = 0; s < fits.size(); ++s) {
    fits[s] = FitAffine(x + 32 * s, 32, levels, true);
    largest_scale = std::max(largest_scale, fits[s].scale);
    largest_min = std::max(largest_min, -fits[s].offset);
  }
  AffineHeader header{FiniteF16(largest_scale / 63.0F), FiniteF16(largest_min / 63.0F), {}};
  const float d = ToFloat(header.d);
  const float dmin = ToFloat(header.dmin);
  for (size_t s = 0; s < fits.size(); ++s) {
    const float scale = d == 0.0F ? 0.0F : RoundClamped(fits[s].scale / d, 0.0F, 63.0F);
    const float min = dmin == 0.0F ? 0.0F : RoundClamped(-fits[s].offset / dmin, 0.0F, 63.0F);
    header.subs[s] = {static_cast<uint8_t>(scale), static_cast<uint8_t>(min)};
  }
  return header;
}

// The levels of all 256 elements under the rounded scales.
void RoundLevels(const float* x, const AffineHeader& header, int levels, uint8_t out[256]) {
  for (size_t s = 0; s < kNumSubBlocks; ++s) {
    const float scale = ToFloat(header.d) * static_cast<float>(header.subs[s].scale);
    const float min = ToFloat(header.dmin) * static_cast<float>(header.subs[s].min);
    const float inverse = scale == 0.0F ? 0.0F : 1.0F / scale;
    for (size_t j = 32 * s; j < 32 * s + 32; ++j) {
      out[j] = static_cast<uint8_t>(
          RoundClamped((x[j] + min) * inverse, 0.0F, static_cast<float>(levels)));
    }
  }
}

// Sub-block pairs share 32 bytes: the even one in the low nibbles, the odd one in the high ones.
void PackNibbles(const uint8_t levels[256], uint8_t q[128]) {
  for (int pair = 0; pair < 4; ++pair) {
    for (int j = 0; j < 32; ++j) {
      const int low = levels[64 * pair + j] & 15;
      const int high = levels[64 * pair + 32 + j] & 15;
      q[32 * pair + j] = static_cast<uint8_t>(low | high << 4);
    }
  }
}

}  // namespace

void EncodeBlock(const float* x, BlockQ4_K& block) {
  const AffineHeader header = FitHeader(x, 15);
  uint8_t levels[256];
  RoundLevels(x, header, 15, levels);
  block.d = header.d;
  block.dmin = header.dmin;
  PackSubScales(header.subs, block.scales);
  PackNibbles(levels, block.q);
}

void EncodeBlock(const float* x, BlockQ5_K& block) {
  const AffineHeader header = FitHeader(x, 31);
  uint8_t levels[256];
  RoundLevels(x, header, 31, levels);
  block.d = header.d;
  block.dmin = header.dmin;
  PackSubScales(header.subs, block.scales);
  PackNibbles(levels, block.q);
  std::memset(block.high, 0, sizeof(block.high));
  for (int i = 0; i < 256; ++i) {
    block.high[i % 32] = static_cast<uint8_t>(block.high[i % 32] | (levels[i] >> 4) << (i / 32));
  }
}

void EncodeBlock(const float* x, BlockQ6_K& block) {
  std::array<float, 16> fits{};
  float extreme = 0.0F;  // the largest scale by magnitude becomes -128 steps exactly
  for (size_t s = 0; s < fits.size(); ++s) {
    fits[s] = FitSymmetric(x + 16 * s, 16, 31);
    if (std::fabs(fits[s]) > std::fabs(extreme)) extreme = fits[s];
  }
  block.d = FiniteF16(extreme / -128.0F);
  const float d = ToFloat(block.d);
  std::memset(block.low, 0, sizeof(block.low));
  std::memset(block.high, 0, sizeof(block.high));
  for (int s = 0; s < 16; ++s) {
    const float scale =
        d == 0.0F ? 0.0F : RoundClamped(fits[static_cast<size_t>(s)] / d, -128.0F, 127.0F);
    block.scale[s] = static_cast<int8_t>(scale);
    const float inverse = d * scale == 0.0F ? 0.0F : 1.0F / (d * scale);
    for (int i = 16 * s; i < 16 * s + 16; ++i) {
      const int level = static_cast<int>(RoundClamped(x[i] * inverse, -32.0F, 31.0F)) + 32;
      const int half = i / 128;
      const int quarter = (i % 128) / 32;
      uint8_t& low = block.low[64 * half + 32 * (quarter % 2) + i % 32];
      uint8_t& high = block.high[32 * half + i % 32];
      low = static_cast<uint8_t>(low | (level & 15) << (4 * (quarter / 2)));
      high = static_cast<uint8_t>(high | (level >> 4) << (2 * quarter));
    }
  }
}

}  // namespace headway
