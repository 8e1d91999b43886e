#pragma once

// What the tests and benchmarks of this folder build: random matrices in GGUF rows and in tiles,
// activations, guarded output.

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/cases.h"
#include "kernels/kernel_set.h"
#include "kernels/tiles.h"
#include "tensor/codec.h"

namespace headway::kernels {

// What fills the blocks of a test matrix.
enum class Filling {
  kRandom,  // normal values, quantised
  kZeros,   // all bytes zero
  // Random bytes for codes and sub-scales, d and m at the ends of F16: largest, smallest denormal,
  // zero.
  kExtremes,
};

class TestMatrix {
 public:
  TestMatrix(DataType type, MatrixShape shape, Filling filling, uint32_t seed);

  DataType Type() const { return type_; }
  MatrixShape Shape() const { return shape_; }
  std::span<const std::byte> GgufRow(int64_t row) const;
  const std::byte* Tiles() const { return tiles_.data(); }
  const std::byte* Tile(int64_t tile) const {
    return tiles_.data() + tile * TileBytes(type_, shape_.channels);
  }

 private:
  DataType type_;
  MatrixShape shape_;
  std::vector<std::byte> rows_;
  AlignedBuffer tiles_;
};

// The sets of SupportedSets(), each completed by the slower ones as SelectKernels does; without the
// reference.
std::vector<KernelSet> FastSets();

// [tokens, channels], normal values with some blocks of zeros and of denormals.
std::vector<float> TestActivations(int64_t tokens, int64_t channels, uint32_t seed);

// y = W x with a set's kernel; the output is surrounded by canaries, which are checked. Row stride
// is shape.rows + 3.
std::vector<float> Multiply(const KernelSet& set, const TestMatrix& matrix,
                            std::span<const float> x, int64_t tokens, int64_t tile_begin,
                            int64_t tile_end);

}  // namespace headway::kernels
