#pragma once

// Logits of the straight-line model, and how far others are from them.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace headway::parity {

// The logits [T, V] of all of `ids`; a failure is a test failure.
std::vector<double> StraightLineLogits(const std::string& gguf_path, std::span<const int32_t> ids);

// |found - expected| / |expected| in the Euclidean norm over all values.
double RelativeError(std::span<const float> found, std::span<const double> expected);

}  // namespace headway::parity
