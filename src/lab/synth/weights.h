#pragma once

// Synthetic weights from a counter: element i of a tensor is a function of (seed, tensor name, i)
// alone, made with integer arithmetic and one float product, so any machine and any number of
// threads gives the same bits.

#include <cstdint>
#include <string_view>

namespace headway::synth {

// Of a tensor; from its name, so that adding tensors changes no other.
uint64_t StreamKey(uint64_t seed, std::string_view tensor_name);

// out[i] = mean + standard_deviation * g(first_index + i), g nearly Gaussian with variance 1: the
// sum of four uniform 16-bit numbers (|g| <= 3.46, excess kurtosis -0.3).
//   out: [count] f32
struct Distribution {
  float mean = 0.0F;
  float standard_deviation = 1.0F;
};
void DrawWeights(uint64_t stream_key, uint64_t first_index, uint64_t count,
                 Distribution distribution, float* out);

}  // namespace headway::synth
