#include "pack/weight_noise.h"

namespace headway::pack {

double WeightNoise(std::string_view weights) {
  if (weights == "fp16") return 4e-8;  // half a step of 2^-11
  // 127 steps to the largest of a row, three to four deviations out.
  if (weights == "int8") return 8e-5;
  // The best 2^b values for a normal distribution. Source: Max 1960 (b up to 5), Panter and Dite 1951
  // beyond.
  if (weights == "lut8") return 4.1e-5;
  if (weights == "lut6") return 6.6e-4;
  if (weights == "lut4") return 0.0095;
  if (weights == "lut3") return 0.0345;
  if (weights == "lut2") return 0.1175;
  if (weights == "lut1") return 0.3634;
  // 7 steps to the largest of 32, 2.2 deviations out.
  if (weights == "int4-blockwise") return 0.0095;
  return 0.0;
}

// What a layer's attention or feed-forward adds has the error of the three products that it goes
// through and of what it reads, all relative and independent; hidden states are the sum of all 2 L of
// them, of one size, whose errors average. With e_n for the error of the sum of n: e_n is the mean of
// 3 D + e_j over j < n, so that e_n = 3 D (1 + 1/2 + ... + 1/n).
double HiddenNoise(double weight_noise, int64_t num_layers) {
  double harmonic = 0.0;
  for (int64_t n = 1; n <= 2 * num_layers; ++n) harmonic += 1.0 / static_cast<double>(n);
  return 3.0 * weight_noise * harmonic;
}

}  // namespace headway::pack
