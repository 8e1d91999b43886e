#include "device/coreml/array.h"

#include "device/coreml/run/tensor.h"

namespace headway::coreml {
std::shared_ptr<AlignedBuffer> HostArray::NewBuffer(const mil::TensorType& type) {
  const int64_t count = mil::NumElements(type.dims).value_or(0);
  return std::make_shared<AlignedBuffer>(static_cast<size_t>(mil::PackedBytes(type.dtype, count)));
}

HostArray::HostArray(mil::TensorType type, std::shared_ptr<AlignedBuffer> buffer)
    : Array(std::move(type)), buffer_(std::move(buffer)), strides_(mil::StridesOf(Type().dims)) {}

void CopyToken(const Array& from, size_t token_axis, int64_t t, std::span<float> to) {
  from.Read([&](const std::byte* first, std::span<const int64_t> strides) {
    const auto* const halves = reinterpret_cast<const F16*>(first) + t * strides[token_axis];
    const int64_t stride = strides[1];
    for (size_t i = 0; i < to.size(); ++i)
      to[i] = ToFloat(halves[static_cast<int64_t>(i) * stride]);
  });
}

int32_t ReadInt(const Array& from, int64_t t) {
  int32_t value = 0;
  from.Read([&](const std::byte* first, std::span<const int64_t> strides) {
    value = reinterpret_cast<const int32_t*>(first)[t * strides.back()];
  });
  return value;
}

}  // namespace headway::coreml
