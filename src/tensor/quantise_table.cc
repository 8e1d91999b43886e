#include "tensor/quantise_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/quantise_k.h"
#include "tensor/scale_search.h"

namespace headway {
namespace {

// The code whose value is nearest to (i - 128) / kUnits.
using NearestCodes = std::array<uint8_t, 256>;

template <int kUnits>
constexpr NearestCodes MakeNearest(const std::array<int8_t, 16>& values) {
  NearestCodes nearest{};
  for (int i = 0; i < 256; ++i) {
    int best = 256;
    for (size_t code = 0; code < values.size(); ++code) {
      const int difference = i - 128 - kUnits * values[code];
      const int distance = difference < 0 ? -difference : difference;
      if (distance >= best) continue;
      best = distance;
      nearest[static_cast<size_t>(i)] = static_cast<uint8_t>(code);
    }
  }
  return nearest;
}

constexpr NearestCodes kNearestIQ4 = MakeNearest<1>(kIQ4Values);
// Eighths: where values are two apart, whole numbers would not say on which side of the middle.
constexpr float kFP4Units = 8.0F;
constexpr NearestCodes kNearestFP4 = MakeNearest<8>(kFP4Values);

uint8_t NearestCode(const NearestCodes& nearest, float value) {
  return nearest[static_cast<size_t>(RoundClamped(value, -128.0F, 127.0F) + 128.0F)];
}

// Nibble i < 16 is the low half of byte i, i >= 16 the high half of byte i - 16.
void SetNibble(uint8_t q[16], int i, uint8_t code) {
  uint8_t& byte = q[i % 16];
  byte = static_cast<uint8_t>(byte | code << (i / 16 * 4));
}

// x[i] ~ scale * value of the code nearest to x[i] / scale: the least-squares scale of the best of a
// few roundings. The extreme of the block meets a value near either end of the table, whose ends
// differ.
float FitTable(const float* x) {
  float extreme = 0.0F;
  for (int i = 0; i < 32; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  if (extreme == 0.0F) return 0.0F;
  constexpr std::array<float, 7> kTargets = {-127.0F, -134.0F, -120.0F, -113.0F,
                                             113.0F,  120.0F,  106.0F};
  float best_gain = -1.0F;
  float best_scale = 0.0F;
  for (const float target : kTargets) {
    const float inverse = target / extreme;
    float xq = 0.0F;
    float qq = 0.0F;
    for (int i = 0; i < 32; ++i) {
      const auto value = static_cast<float>(kIQ4Values[NearestCode(kNearestIQ4, x[i] * inverse)]);
      xq += x[i] * value;
      qq += value * value;
    }
    // With the best scale xq / qq the squared error is sum(x^2) - xq^2 / qq.
    const float gain = xq * xq / qq;
    if (gain > best_gain) {
      best_gain = gain;
      best_scale = xq / qq;
    }
  }
  return best_scale;
}

void EncodeTable(const float* x, float scale, uint8_t q[16]) {
  const float inverse = scale == 0.0F ? 0.0F : 1.0F / scale;
  std::memset(q, 0, 16);
  for (int i = 0; i < 32; ++i) SetNibble(q, i, NearestCode(kNearestIQ4, x[i] * inverse));
}

// The squared error of a block under the exponent e.
float ErrorOf(const float* x, uint8_t e) {
  const float d = MxScale(e);
  float error = 0.0F;
  for (int i = 0; i < 32; ++i) {
    const float y =
        d * static_cast<float>(kFP4Values[NearestCode(kNearestFP4, kFP4Units * x[i] / d)]);
    error += (x[i] - y) * (x[i] - y);
  }
  return error;
}

}  // namespace

void EncodeBlock(const float* x, BlockIq4Nl& block) {
  block.d = FiniteF16(FitTable(x));
  EncodeTable(x, ToFloat(block.d), block.q);
}

void EncodeBlock(const float* x, BlockIq4Xs& block) {
  std::array<float, 8> fits{};
  float extreme = 0.0F;  // the largest scale by magnitude becomes -32 steps exactly
  for (size_t s = 0; s < fits.size(); ++s) {
    fits[s] = FitTable(x + 32 * s);
    if (std::fabs(fits[s]) > std::fabs(extreme)) extreme = fits[s];
  }
  block.d = FiniteF16(extreme / -32.0F);
  block.scales_high = 0;
  std::memset(block.scales_low, 0, sizeof block.scales_low);
  const float d = ToFloat(block.d);
  for (size_t s = 0; s < fits.size(); ++s) {
    const float scale = d == 0.0F ? 0.0F : RoundClamped(fits[s] / d, -32.0F, 31.0F);
    const int stored = static_cast<int>(scale) + 32;
    uint8_t& low = block.scales_low[s / 2];
    low = static_cast<uint8_t>(low | (stored & 15) << (s % 2 * 4));
    block.scales_high = static_cast<uint16_t>(block.scales_high | (stored >> 4) << (2 * s));
    EncodeTable(x + 32 * s, d * scale, block.q + 16 * s);
  }
}

void EncodeBlock(const float* x, BlockMXFP4& block) {
  float largest = 0.0F;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  // The largest exponent of two that is not above: the block's largest value meets 8 to 16 of the
  // doubled values, whose last is 12; the next exponent may fit better.
  const int exponent = static_cast<int>(std::bit_cast<uint32_t>(largest) >> 23) - 127;
  const auto e = static_cast<uint8_t>(std::clamp(exponent - 3 + 128, 0, 254));
  const auto next = static_cast<uint8_t>(e + 1);
  block.e = ErrorOf(x, next) < ErrorOf(x, e) ? next : e;
  if (largest == 0.0F) block.e = 0;
  const float d = MxScale(block.e);
  std::memset(block.q, 0, sizeof block.q);
  for (int i = 0; i < 32; ++i) {
    SetNibble(block.q, i, NearestCode(kNearestFP4, kFP4Units * x[i] / d));
  }
}

}  // namespace headway
