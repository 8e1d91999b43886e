#pragma once

// Scalar kernels for the sampling tests: slow, obvious, and with a noise of their own, so that the
// tests judge the sampler and not the kernels.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/kernel_set.h"

namespace headway::sampling {

// splitmix64's finaliser (Steele et al. 2014) over the three keys.
inline uint64_t MixBits(uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

inline float TestGumbel(uint64_t seed, uint64_t position, int64_t id) {
  const uint64_t bits = MixBits(MixBits(MixBits(seed) ^ position) ^ static_cast<uint64_t>(id));
  const double uniform = (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
  return static_cast<float>(-std::log(-std::log(uniform)));
}

inline kernels::ArgMax ScalarArgMax(const float* values, int64_t n) {
  kernels::ArgMax best;
  for (int64_t i = 0; i < n; ++i) {
    if (best.index < 0 || values[i] > best.value) best = {.index = i, .value = values[i]};
  }
  return best;
}

inline kernels::ArgMax ScalarGumbelArgMax(const float* values, int64_t n, float inverse_temperature,
                                          uint64_t seed, uint64_t position, int64_t first_id) {
  kernels::ArgMax best;
  for (int64_t i = 0; i < n; ++i) {
    const float noise = TestGumbel(seed, position, first_id + i);
    const float value = values[i] * inverse_temperature + noise;
    if (best.index < 0 || value > best.value) best = {.index = i, .value = value};
  }
  return best;
}

inline kernels::KernelSet TestKernels() {
  kernels::KernelSet set;
  set.name = "test";
  set.argmax = ScalarArgMax;
  set.gumbel_argmax = ScalarGumbelArgMax;
  return set;
}

}  // namespace headway::sampling
