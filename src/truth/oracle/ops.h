#pragma once

// The ops of a graph in double precision, as textbook loops: what each of them means, without a
// thought for speed. Matrices are row-major vectors of double, one row a token. Inside this folder
// only.

#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace headway::oracle {

using Matrix = std::vector<double>;  // [T, channels]

// x / sqrt(mean(x^2) + eps) * gain, by groups of as many channels as the gain has.
//   x: [T, D]   gain: [group], D a multiple of it
Matrix RmsNorm(const Matrix& x, std::span<const float> gain, double eps);

// x + vector, row by row.   x: [T, N]   vector: [N]
Matrix AddBias(Matrix x, std::span<const float> vector);

// Channels [begin, end) of rows of `channels`.
Matrix Slice(const Matrix& x, int64_t channels, int64_t begin, int64_t end);

// Turns each pair (a, b) of a head's first n_rot channels into (a cos - b sin, a sin + b cos).
//   x: [T, H * d]   cos, sin: [T, n_rot / 2]
Matrix Rotary(Matrix x, int64_t num_tokens, const graph::RotaryAttributes& attributes,
              std::span<const double> cos, std::span<const double> sin);

// Causal attention of T tokens at positions first_position + t over everything in `keys` and
// `values`.
//   q: [T, H * d]   keys, values: [first_position + T, Hk * d]   result: [T, H * d]
Matrix Attention(const Matrix& q, const Matrix& keys, const Matrix& values, int64_t first_position,
                 const graph::AttentionAttributes& attributes);

// The largest of each row and its channel, the lowest among equals: [T, 2].
Matrix Top1(const Matrix& x, int64_t num_tokens);
// The largest of every `rows` channels of each row.
Matrix BlockMax(const Matrix& x, int64_t num_tokens, int64_t rows);

// activation(gate) * up.
Matrix Gate(graph::Activation activation, Matrix gate, const Matrix& up);
Matrix Add(Matrix x, const Matrix& y);
Matrix Scale(Matrix x, double factor);
// cap * tanh(x / cap); x where the cap is 0.
Matrix SoftCap(Matrix x, double cap);

// What docs/arithmetic.md leaves of activations before a quantised product: blocks of 32 values
// rounded to multiples of max / 127. The rounding itself runs in binary32, as on every device: it
// decides which integer a value becomes.
Matrix RoundToBlocks(Matrix x);

// To binary32 and on to binary16, as keys and values are kept.
double RoundToHalf(double x);

}  // namespace headway::oracle
