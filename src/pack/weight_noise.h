#pragma once

// What storing a model's weights in a device's format must cost: what `pack` says before it begins
// (docs/gates.md, "coarse weights"). Inside this folder only.

#include <cstdint>
#include <string_view>

namespace headway::pack {

// The squared error of a weight that the format ("lut4") leaves, relative to its row's mean square,
// for weights in normal distribution; 0: the model file's own.
double WeightNoise(std::string_view weights);

// The squared relative error of the hidden states that this leaves after `num_layers` layers.
double HiddenNoise(double weight_noise, int64_t num_layers);

}  // namespace headway::pack
