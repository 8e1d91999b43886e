#include "device/coreml/run/tensor.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/check.h"

namespace headway::mil {
namespace {

// ToFloat(ToF16(value)) without branches, so that compilers turn the loop into vector instructions.
float Rounded(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffU;
  // Nearest even at 10 mantissa bits; from 65520 on the result is 2^16, which becomes infinity.
  const uint32_t normal = (magnitude + 0xfffU + ((magnitude >> 13) & 1U)) & 0xffffe000U;
  const uint32_t large = magnitude > 0x7f800000U ? 0x7fc00000U : 0x7f800000U;
  // Below 2^-14 steps are 2^-24: adding 0.5 makes binary32 round there.
  const uint32_t small = std::bit_cast<uint32_t>((std::bit_cast<float>(magnitude) + 0.5F) - 0.5F);
  const uint32_t finite = magnitude < 0x38800000U ? small : normal;
  const uint32_t rounded = magnitude >= 0x477ff000U ? large : finite;
  return std::bit_cast<float>(rounded | (bits & 0x80000000U));
}

}  // namespace

template <class T>
std::shared_ptr<T[]> BufferPool::Take(int64_t count, Free<T> BufferPool::*list) {
  std::unique_ptr<T[]> buffer;
  auto& waiting = (this->*list)[count];
  if (waiting.empty()) {
    buffer.reset(new T[static_cast<size_t>(count)]);
  } else {
    buffer = std::move(waiting.back());
    waiting.pop_back();
  }
  auto give_back = [pool = weak_from_this(), list, count](T* pointer) {
    std::unique_ptr<T[]> owned(pointer);
    try {
      if (const auto alive = pool.lock()) (alive.get()->*list)[count].push_back(std::move(owned));
    } catch (const std::bad_alloc&) {  // no memory to keep it: then it is freed
    }
  };
  return std::shared_ptr<T[]>(buffer.release(), std::move(give_back));
}

std::shared_ptr<float[]> BufferPool::Floats(int64_t count) {
  return Take(count, &BufferPool::free_floats_);
}
std::shared_ptr<int32_t[]> BufferPool::Ints(int64_t count) {
  return Take(count, &BufferPool::free_ints_);
}

int64_t Tensor::Count() const { return NumElements(type.dims).value_or(0); }

Tensor ZeroTensor(DType dtype, Dims dims) {
  Tensor tensor{{dtype, std::move(dims)}, nullptr, nullptr};
  const auto count = static_cast<size_t>(tensor.Count());
  if (tensor.IsFloat()) {
    tensor.floats = std::shared_ptr<float[]>(new float[count]());
  } else {
    tensor.ints = std::shared_ptr<int32_t[]>(new int32_t[count]());
  }
  return tensor;
}

Tensor MakeTensor(DType dtype, Dims dims, std::span<const float> values) {
  Tensor tensor = ZeroTensor(dtype, std::move(dims));
  HW_CHECK(tensor.IsFloat() && values.size() == tensor.Floats().size(),
           "as many floats as the shape says");
  std::copy(values.begin(), values.end(), tensor.floats.get());
  if (dtype == DType::kF16) RoundToHalf(tensor.Floats());
  return tensor;
}

Tensor MakeIntTensor(DType dtype, Dims dims, std::span<const int32_t> values) {
  Tensor tensor = ZeroTensor(dtype, std::move(dims));
  HW_CHECK(!tensor.IsFloat() && values.size() == tensor.Ints().size(),
           "as many integers as the shape says");
  std::copy(values.begin(), values.end(), tensor.ints.get());
  return tensor;
}

void RoundToHalf(std::span<float> values) {
  for (float& value : values) value = Rounded(value);
}

std::vector<int64_t> StridesOf(const Dims& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

}  // namespace headway::mil
