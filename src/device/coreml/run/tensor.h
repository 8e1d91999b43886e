#pragma once

// Values of the interpreter. Every float type is held as binary32 (fp16 values are rounded to fp16
// after each op), every integer type and bool as int32. Storage is shared and never written after
// an op has produced it, so that reshapes, reads and writes of states and full-range updates cost
// nothing.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "device/coreml/ir/type.h"

namespace headway::mil {

// Recycles buffers: a step allocates the same sizes as the step before. Not thread-safe: only the
// interpreting thread allocates.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  // `count` 4-byte elements, not initialised.
  std::shared_ptr<float[]> Floats(int64_t count);
  std::shared_ptr<int32_t[]> Ints(int64_t count);

 private:
  template <class T>
  using Free = std::map<int64_t, std::vector<std::unique_ptr<T[]>>>;
  template <class T>
  std::shared_ptr<T[]> Take(int64_t count, Free<T> BufferPool::*list);

  Free<float> free_floats_;
  Free<int32_t> free_ints_;
};

struct Tensor {
  TensorType type;
  std::shared_ptr<float[]> floats;  // float types
  std::shared_ptr<int32_t[]> ints;  // integer types and bool

  int64_t Count() const;
  bool IsFloat() const { return Traits(type.dtype).type_class == DTypeClass::kFloat; }
  std::span<float> Floats() { return {floats.get(), static_cast<size_t>(Count())}; }
  std::span<const float> Floats() const { return {floats.get(), static_cast<size_t>(Count())}; }
  std::span<int32_t> Ints() { return {ints.get(), static_cast<size_t>(Count())}; }
  std::span<const int32_t> Ints() const { return {ints.get(), static_cast<size_t>(Count())}; }
};

// Values from outside; fp16 ones are rounded.
Tensor MakeTensor(DType dtype, Dims dims, std::span<const float> values);
Tensor MakeIntTensor(DType dtype, Dims dims, std::span<const int32_t> values);
Tensor ZeroTensor(DType dtype, Dims dims);

// Rounds to fp16 and back, nearest even; the same bits on every machine.
void RoundToHalf(std::span<float> values);

// Row-major strides in elements.
std::vector<int64_t> StridesOf(const Dims& dims);

}  // namespace headway::mil
