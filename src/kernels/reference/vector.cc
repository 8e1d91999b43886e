#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/exp.h"
#include "kernels/noise.h"
#include "kernels/reference/lane_sum.h"
#include "kernels/reference/reference.h"

namespace headway::kernels::reference {
namespace {

void QuantiseBlock(const float* x, ActivationBlock* block) {
  *block = {};
  float amax = 0.0F;
  for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(x[i]));
  if (amax < kSmallestBlock) return;
  const float inverse = 127.0F / amax;
  int32_t half_sum[2] = {0, 0};
  for (int i = 0; i < 32; ++i) {
    block->q[i] = static_cast<int8_t>(std::nearbyintf(x[i] * inverse));
    half_sum[i / 16] += block->q[i];
  }
  const int32_t sum = half_sum[0] + half_sum[1];
  block->scale = amax / 127.0F;
  block->scaled_sum = static_cast<float>(sum) * block->scale;
  block->offset_q8 = -128 * sum;
  block->offset_q5 = -16 * sum;
  block->offset_q4 = -8 * sum;
  block->offset_q6[0] = -32 * half_sum[0];
  block->offset_q6[1] = -32 * half_sum[1];
  block->half_sums[0] = static_cast<int16_t>(half_sum[0]);
  block->half_sums[1] = static_cast<int16_t>(half_sum[1]);
}

}  // namespace

void QuantiseRows(const float* x, int64_t x_stride, int64_t token_begin, int64_t token_end,
                  const QuantisedRows& out) {
  for (int64_t t = token_begin; t < token_end; ++t) {
    for (int64_t b = 0; b < out.num_channels / 32; ++b) {
      QuantiseBlock(x + t * x_stride + b * 32, out.Block(t, b));
    }
  }
}

void RmsNorm(const float* x, const float* gain, float eps, int64_t n, float* y) {
  LaneSum squares;
  for (int64_t c = 0; c < n; ++c) squares.AddProduct(c, x[c], x[c]);
  const float scale = 1.0F / std::sqrt(squares.Total() / static_cast<float>(n) + eps);
  for (int64_t c = 0; c < n; ++c) y[c] = (x[c] * scale) * gain[c];
}

void SwiGlu(const float* gate, const float* up, int64_t n, float* y) {
  for (int64_t c = 0; c < n; ++c) y[c] = (gate[c] / (1.0F + Exp(-gate[c]))) * up[c];
}

void GegluTanh(const float* gate, const float* up, int64_t n, float* y) {
  for (int64_t c = 0; c < n; ++c) {
    const float power = gate[c] * std::fmaf(gate[c] * gate[c], kGeluCubic, kGeluLinear);
    y[c] = (gate[c] / (1.0F + Exp(power))) * up[c];
  }
}

void SoftCap(float cap, int64_t n, float* x) {
  for (int64_t c = 0; c < n; ++c) x[c] = kernels::SoftCap(x[c], cap);
}

void Add(const float* x, int64_t n, float* y) {
  for (int64_t c = 0; c < n; ++c) y[c] = x[c] + y[c];
}

void Rotary(RotaryStyle style, const float* cos, const float* sin, int64_t n_rot, int64_t head_dim,
            int64_t num_heads, float* x) {
  const int64_t half = n_rot / 2;
  for (int64_t h = 0; h < num_heads; ++h, x += head_dim) {
    for (int64_t i = 0; i < half; ++i) {
      float& a = style == RotaryStyle::kHalves ? x[i] : x[2 * i];
      float& b = style == RotaryStyle::kHalves ? x[i + half] : x[2 * i + 1];
      const float rotated_a = std::fmaf(a, cos[i], -(b * sin[i]));
      b = std::fmaf(a, sin[i], b * cos[i]);
      a = rotated_a;
    }
  }
}

ArgMax FindArgMax(const float* values, int64_t n) {
  if (n <= 0) return {};
  ArgMax best{0, values[0]};
  for (int64_t i = 1; i < n; ++i) {
    if (values[i] > best.value) best = {i, values[i]};
  }
  return best;
}

ArgMax FindGumbelArgMax(const float* values, int64_t n, float inverse_temperature, uint64_t seed,
                        uint64_t position, int64_t first_id) {
  const auto perturbed = [&](int64_t i) {
    const float noise = Gumbel(seed, position, static_cast<uint64_t>(first_id + i));
    return std::fmaf(values[i], inverse_temperature, noise);
  };
  if (n <= 0) return {};
  ArgMax best{0, perturbed(0)};
  for (int64_t i = 1; i < n; ++i) {
    const float value = perturbed(i);
    if (value > best.value) best = {i, value};
  }
  return best;
}

void Perturb(const float* values, int64_t n, float inverse_temperature, uint64_t seed,
             uint64_t position, int64_t first_id, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    const float noise = Gumbel(seed, position, static_cast<uint64_t>(first_id + i));
    out[i] = std::fmaf(values[i], inverse_temperature, noise);
  }
}

int64_t FindAtLeast(const float* values, int64_t n, float threshold, int32_t first_id,
                    int32_t* ids) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(values[i] < threshold)) ids[count++] = first_id + static_cast<int32_t>(i);
  }
  return count;
}

bool AllFinite(const float* values, int64_t n) {
  return std::all_of(values, values + n, [](float value) { return std::isfinite(value); });
}

}  // namespace headway::kernels::reference
