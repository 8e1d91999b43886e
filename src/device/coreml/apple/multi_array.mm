#include "device/coreml/apple/multi_array.h"

#include <fmt/format.h>

#include <cstring>

#include "device/coreml/apple/foundation.h"
#include "device/coreml/run/tensor.h"

namespace headway::coreml {
namespace {

constexpr int64_t kHalfBytes = 2;

class BackedArray final : public HostArray, public HoldsMultiArray {
 public:
  BackedArray(mil::TensorType type, std::shared_ptr<AlignedBuffer> buffer,
              Owned<MLMultiArray*> object)
      : HostArray(std::move(type), std::move(buffer)), HoldsMultiArray(std::move(object)) {}
};

class GivenArray final : public Array, public HoldsMultiArray {
 public:
  GivenArray(mil::TensorType type, mil::Dims strides, Owned<MLMultiArray*> object)
      : Array(std::move(type)), HoldsMultiArray(std::move(object)), strides_(std::move(strides)) {}
  void Read(const Look& look) const override {
    const Look* const asked = &look;
    const mil::Dims* const strides = &strides_;
    [Object() getBytesWithHandler:^(const void* bytes, NSInteger /*size*/) {
      (*asked)(static_cast<const std::byte*>(bytes), *strides);
    }];
  }

 private:
  const mil::Dims strides_;
};

// Whether each number of an array of `dims` lies in `size` bytes.
bool StridesFit(const mil::Dims& dims, const mil::Dims& strides, int64_t number_bytes,
                int64_t size) {
  if (strides.size() != dims.size()) return false;
  int64_t last = 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 1) continue;
    if (strides[i] < 1 || strides[i] > size) return false;
    last += (dims[i] - 1) * strides[i];
    if (last > size) return false;
  }
  return (last + 1) * number_bytes <= size;
}

void CopyAxes(const std::byte* from, const int64_t* from_strides, std::byte* to,
              const int64_t* to_strides, std::span<const int64_t> dims) {
  if (dims.empty()) {
    std::memcpy(to, from, kHalfBytes);
    return;
  }
  if (dims.size() == 1 && from_strides[0] == 1 && to_strides[0] == 1) {
    std::memcpy(to, from, static_cast<size_t>(dims[0] * kHalfBytes));
    return;
  }
  for (int64_t i = 0; i < dims[0]; ++i) {
    CopyAxes(from + i * from_strides[0] * kHalfBytes, from_strides + 1,
             to + i * to_strides[0] * kHalfBytes, to_strides + 1, dims.subspan(1));
  }
}

}  // namespace

Result<std::shared_ptr<HostArray>> NewBackedArray(const mil::TensorType& type) {
  @autoreleasepool {
    const std::shared_ptr<AlignedBuffer> buffer = HostArray::NewBuffer(type);
    NSError* error = nil;
    // The block keeps the memory for as long as Core ML keeps the array.
    MLMultiArray* const object =
        [[MLMultiArray alloc] initWithDataPointer:buffer->data()
                                            shape:ToNs(type.dims)
                                         dataType:DataTypeOf(type.dtype)
                                          strides:ToNs(mil::StridesOf(type.dims))
                                      deallocator:^(void* /*bytes*/) {
                                        (void)buffer;
                                      }
                                            error:&error];
    if (object == nil) return CoreMlFailed("could not make an array", error);
    return std::make_shared<BackedArray>(type, buffer, Owned<MLMultiArray*>::Adopt(object));
  }
}

MLMultiArrayDataType DataTypeOf(mil::DType dtype) {
  return dtype == mil::DType::kI32 ? MLMultiArrayDataTypeInt32 : MLMultiArrayDataTypeFloat16;
}

Result<std::shared_ptr<Array>> WrapGiven(MLMultiArray* given, const mil::TensorType& type,
                                         const std::string& name) {
  const int64_t number_bytes = type.dtype == mil::DType::kI32 ? 4 : kHalfBytes;
  const mil::Dims dims = FromNs([given shape]);
  if ([given dataType] != DataTypeOf(type.dtype) || dims != type.dims) {
    return Fail(ErrorCode::kIo,
                fmt::format("Core ML: output '{}': expected {}, found {} of type {:#x}", name,
                            mil::ToString(mil::Type{type, false}), mil::ToString(dims),
                            static_cast<long>([given dataType])));
  }
  mil::Dims strides = FromNs([given strides]);
  __block int64_t size = 0;
  [given getBytesWithHandler:^(const void* /*bytes*/, NSInteger its_size) {
    size = its_size;
  }];
  if (!StridesFit(dims, strides, number_bytes, size)) {
    return Fail(ErrorCode::kIo,
                fmt::format("Core ML: output '{}': expected strides inside {} "
                            "bytes, found {} for {}",
                            name, size, mil::ToString(strides), mil::ToString(dims)));
  }
  return std::make_shared<GivenArray>(type, std::move(strides),
                                      Owned<MLMultiArray*>::Retain(given));
}

MLMultiArray* ObjectOf(const Array& array) {
  return dynamic_cast<const HoldsMultiArray&>(array).Object();
}

Result<void> CopyHalves(MLMultiArray* from, MLMultiArray* to) {
  const mil::Dims dims = FromNs([from shape]);
  const mil::Dims from_strides = FromNs([from strides]);
  __block bool fits = [from dataType] == MLMultiArrayDataTypeFloat16 &&
                      [to dataType] == MLMultiArrayDataTypeFloat16 && FromNs([to shape]) == dims;
  if (fits) {
    [from getBytesWithHandler:^(const void* source, NSInteger source_size) {
      [to getMutableBytesWithHandler:^(void* target, NSInteger size, NSArray<NSNumber*>* strides) {
        const mil::Dims to_strides = FromNs(strides);
        fits = StridesFit(dims, from_strides, kHalfBytes, source_size) &&
               StridesFit(dims, to_strides, kHalfBytes, size);
        if (fits)
          CopyAxes(static_cast<const std::byte*>(source), from_strides.data(),
                   static_cast<std::byte*>(target), to_strides.data(), dims);
      }];
    }];
  }
  if (fits) return {};
  return Fail(ErrorCode::kIo, fmt::format("Core ML: a state: expected fp16 numbers of {}, found {}",
                                          mil::ToString(dims), mil::ToString(FromNs([to shape]))));
}

}  // namespace headway::coreml
