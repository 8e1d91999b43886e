#include "lab/synth/weights.h"

namespace headway::synth {
namespace {

// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection in which every input bit
// changes half of the output bits.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15U;  // 2^64 / golden ratio: SplitMix64's step

}  // namespace

uint64_t StreamKey(uint64_t seed, std::string_view tensor_name) {
  uint64_t key = Mix(seed + kGolden);
  for (const char c : tensor_name) key = Mix((key ^ static_cast<unsigned char>(c)) + kGolden);
  return key;
}

void DrawWeights(uint64_t stream_key, uint64_t first_index, uint64_t count,
                 Distribution distribution, float* out) {
  constexpr int32_t kMean = 2 * 65535;             // of the sum of four
  constexpr float kStandardDeviation = 37837.23F;  // sqrt(4 * (65536^2 - 1) / 12)
  const float scale = distribution.standard_deviation / kStandardDeviation;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t bits = Mix(stream_key + (first_index + i) * kGolden);
    const uint64_t sum =
        (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    const auto centred = static_cast<float>(static_cast<int32_t>(sum) - kMean);
    out[i] = distribution.mean + scale * centred;
  }
}

}  // namespace headway::synth
