#pragma once

// What some devices' shards can do and others cannot. Who needs one asks the shard for it and gets
// null where there is none.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "device/step.h"

namespace headway {

// What the last product of a head shard multiplies, in the device's own form; one token.
struct ProductInput {
  const std::byte* activations = nullptr;
};

// A head shard taken apart, for heads that do not need every row (docs/certified_head.md). Rows
// come in strips of kRowBlock.
class RowStrips {
 public:
  virtual ~RowStrips() = default;
  // Runs everything before the shard's last product, for one token, and writes what that product
  // multiplies to `multiplied`, [D] f32: quantised activations as the numbers they stand for. The
  // result serves every shard of the same head while args.scratch stays as it is. Cannot fail, does
  // not allocate.
  virtual ProductInput RunToProduct(const StepArgs& args, float* multiplied) noexcept = 0;
  // Writes y[row] for the rows of a strip (counted in this shard), bit for bit as Run() does; may
  // write those of neighbouring strips. Several threads may call it at once.
  virtual void ComputeStrip(const ProductInput& input, int64_t strip, float* y) const noexcept = 0;
};

// A head shard that is a program for the signs of a certified head's rows (lmhead/device_signs.h).
class SignScreen {
 public:
  virtual ~SignScreen() = default;
  // Bytes of weights that one pass reads.
  virtual int64_t EstimateBytes() const = 0;
  // What the device's sums must be for the bounds to hold. Static text.
  virtual std::string_view EstimateAssumption() const = 0;
  // rotated: [num_states, D], 16-bit floats; estimates of state s at estimates + s * stride, one a
  // row of this shard. Errors: those of LoadedShard::Run().
  virtual Result<void> EstimateRows(const float* rotated, int64_t num_states, float* estimates,
                                    int64_t stride) noexcept = 0;
};

// A matrix that a shard multiplies with: rows [row_begin, row_begin + rows) of the model file's
// tensor `weight`.
struct Product {
  std::string weight;
  int64_t row_begin = 0;
  int64_t rows = 0;
  int64_t columns = 0;
};

// A shard's matrix products one by one, as Run() computes them: how the golden gate finds the
// channel that is wrong.
class ProductProbe {
 public:
  virtual ~ProductProbe() = default;
  virtual std::vector<Product> Products() const = 0;
  // Multiplies product `index` with T inputs: x [T, columns] to y [T, rows].
  virtual void RunProduct(size_t index, int64_t num_tokens, const float* x, float* y) const = 0;
};

}  // namespace headway
