#include "device/coreml/ir/constant.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "device/coreml/ir/packing.h"
#include "tensor/half.h"

namespace headway::mil {
namespace {

template <class T>
void Put(std::vector<std::byte>* bytes, T value) {
  const size_t at = bytes->size();
  bytes->resize(at + sizeof(T));
  std::memcpy(bytes->data() + at, &value, sizeof(T));
}

template <class T>
T Get(std::span<const std::byte> bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

void PutNumber(std::vector<std::byte>* bytes, DType dtype, double value) {
  switch (dtype) {
    case DType::kF16:
      return Put(bytes, ToF16(static_cast<float>(value)).bits);
    case DType::kBF16:
      return Put(bytes, ToBF16(static_cast<float>(value)).bits);
    case DType::kF32:
      return Put(bytes, static_cast<float>(value));
    case DType::kF64:
      return Put(bytes, value);
    case DType::kBool:
      return Put(bytes, static_cast<uint8_t>(value != 0));
    case DType::kI8:
      return Put(bytes, static_cast<int8_t>(value));
    case DType::kI16:
      return Put(bytes, static_cast<int16_t>(value));
    case DType::kI32:
      return Put(bytes, static_cast<int32_t>(value));
    case DType::kI64:
      return Put(bytes, static_cast<int64_t>(value));
    case DType::kU8:
      return Put(bytes, static_cast<uint8_t>(value));
    case DType::kU16:
      return Put(bytes, static_cast<uint16_t>(value));
    case DType::kU32:
      return Put(bytes, static_cast<uint32_t>(value));
    case DType::kU64:
      return Put(bytes, static_cast<uint64_t>(value));
    case DType::kString:
    case DType::kI4:
    case DType::kU1:
    case DType::kU2:
    case DType::kU3:
    case DType::kU4:
    case DType::kU6:
    case DType::kF8E4M3FN:
    case DType::kF8E5M2:
      break;
  }
  HW_CHECK(false, "sub-byte constants are made with PackBits");
}

double GetNumber(DType dtype, std::span<const std::byte> bytes, size_t i) {
  switch (dtype) {
    case DType::kF16:
      return static_cast<double>(ToFloat(F16{Get<uint16_t>(bytes, i)}));
    case DType::kBF16:
      return static_cast<double>(ToFloat(BF16{Get<uint16_t>(bytes, i)}));
    case DType::kF32:
      return static_cast<double>(Get<float>(bytes, i));
    case DType::kF64:
      return Get<double>(bytes, i);
    case DType::kBool:
      return Get<uint8_t>(bytes, i) != 0 ? 1.0 : 0.0;
    case DType::kI16:
      return Get<int16_t>(bytes, i);
    case DType::kI32:
      return Get<int32_t>(bytes, i);
    case DType::kI64:
      return static_cast<double>(Get<int64_t>(bytes, i));
    case DType::kU16:
      return Get<uint16_t>(bytes, i);
    case DType::kU32:
      return Get<uint32_t>(bytes, i);
    case DType::kU64:
      return static_cast<double>(Get<uint64_t>(bytes, i));
    case DType::kI4:
    case DType::kI8:
    case DType::kU1:
    case DType::kU2:
    case DType::kU3:
    case DType::kU4:
    case DType::kU6:
    case DType::kU8:
      return UnpackElement(dtype, bytes, static_cast<int64_t>(i));
    case DType::kString:
    case DType::kF8E4M3FN:
    case DType::kF8E5M2:
      break;
  }
  return std::nan("");
}

Constant Scalar(DType dtype, double value) { return NumbersConstant(dtype, {}, {&value, 1}); }

}  // namespace

Constant StringConstant(std::string_view text) {
  return {{DType::kString, {}}, std::vector<std::string>{std::string(text)}};
}

Constant BoolConstant(bool value) { return Scalar(DType::kBool, value ? 1.0 : 0.0); }
Constant IntConstant(int32_t value) { return Scalar(DType::kI32, value); }
Constant HalfConstant(float value) { return Scalar(DType::kF16, static_cast<double>(value)); }
Constant FloatConstant(float value) { return Scalar(DType::kF32, static_cast<double>(value)); }

Constant BoolsConstant(std::span<const bool> values) {
  const std::vector<double> numbers(values.begin(), values.end());
  return NumbersConstant(DType::kBool, {static_cast<int64_t>(values.size())}, numbers);
}

Constant IntsConstant(std::span<const int64_t> values) {
  const std::vector<double> numbers(values.begin(), values.end());
  return NumbersConstant(DType::kI32, {static_cast<int64_t>(values.size())}, numbers);
}

Constant NumbersConstant(DType dtype, Dims dims, std::span<const double> values) {
  HW_CHECK(NumElements(dims) == static_cast<int64_t>(values.size()),
           "as many values as the shape says");
  std::vector<std::byte> bytes;
  for (const double value : values) PutNumber(&bytes, dtype, value);
  return PackedConstant(dtype, std::move(dims), std::move(bytes));
}

Constant PackedConstant(DType dtype, Dims dims, std::vector<std::byte> bytes) {
  Constant constant;
  constant.type = TensorType{dtype, std::move(dims)};
  constant.value = std::move(bytes);
  return constant;
}

Constant BlobConstant(DType dtype, Dims dims, BlobRef ref) {
  Constant constant;
  constant.type = TensorType{dtype, std::move(dims)};
  constant.value = std::move(ref);
  return constant;
}

Result<std::span<const std::byte>> BytesOf(const Constant& constant, const BlobSource* blobs) {
  if (const auto* bytes = std::get_if<std::vector<std::byte>>(&constant.value)) {
    return std::span<const std::byte>(*bytes);
  }
  const BlobRef* ref = constant.Blob();
  if (ref == nullptr) return Fail(ErrorCode::kInvalidInput, "expected numbers, found strings");
  if (blobs == nullptr) {
    return Fail(ErrorCode::kNotFound, fmt::format("value at {} offset {}: no weight file is open",
                                                  ref->file, ref->offset));
  }
  const std::optional<int64_t> num_elements = NumElements(constant.type.dims);
  if (!num_elements) {
    return Fail(ErrorCode::kCorrupt,
                "a constant with unknown extents: " + ToString(constant.type.dims));
  }
  return blobs->Read(*ref, constant.type.dtype, *num_elements);
}

void ReadDoubles(DType dtype, std::span<const std::byte> bytes, std::span<double> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = GetNumber(dtype, bytes, i);
}

void ReadFloats(DType dtype, std::span<const std::byte> bytes, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(GetNumber(dtype, bytes, i));
}

void ReadInts(DType dtype, std::span<const std::byte> bytes, std::span<int64_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    if (dtype == DType::kI64) {
      out[i] = Get<int64_t>(bytes, i);
    } else {
      const double value = GetNumber(dtype, bytes, i);
      // Out-of-range floats and uint64 would be undefined behaviour to convert; no parameter uses
      // them.
      out[i] = std::abs(value) < 0x1p62 ? static_cast<int64_t>(value) : 0;
    }
  }
}

}  // namespace headway::mil
