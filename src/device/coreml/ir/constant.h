#pragma once

// A constant of a MIL program: its type, and either the packed bytes themselves or a reference to a
// blob. All numeric immediates are kept as packed little-endian bytes whatever member the file
// used, so that the rest of the library sees one form.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "device/coreml/ir/blobs.h"
#include "device/coreml/ir/type.h"

namespace headway::mil {

struct Constant {
  TensorType type;
  // Bytes: PackedBytes(type) of them. Strings: one per element, dtype kString only.
  std::variant<std::vector<std::byte>, std::vector<std::string>, BlobRef> value;

  const BlobRef* Blob() const { return std::get_if<BlobRef>(&value); }
  friend bool operator==(const Constant&, const Constant&) = default;
};

// Scalars and vectors as the ops take them.
Constant StringConstant(std::string_view text);
Constant BoolConstant(bool value);
Constant BoolsConstant(std::span<const bool> values);
Constant IntConstant(int32_t value);
Constant IntsConstant(std::span<const int64_t> values);  // int32[n]; values must fit
Constant HalfConstant(float value);                      // fp16 scalar, rounded
Constant FloatConstant(float value);                     // fp32 scalar
// Any float type or integer type of at least 8 bits, from doubles; rounds as a cast would.
Constant NumbersConstant(DType dtype, Dims dims, std::span<const double> values);

// Bytes that are packed already; PackedBytes(dtype, elements of dims) of them.
Constant PackedConstant(DType dtype, Dims dims, std::vector<std::byte> bytes);
Constant BlobConstant(DType dtype, Dims dims, BlobRef ref);

// The packed bytes, through `blobs` where the constant is a reference (null: references are an
// error). Valid while the constant and the source live. Errors: kCorrupt, kNotFound.
Result<std::span<const std::byte>> BytesOf(const Constant& constant, const BlobSource* blobs);

// The elements of packed bytes as doubles or integers; every numeric type and bool. `bytes` holds
// PackedBytes(dtype, out.size()) bytes.
void ReadDoubles(DType dtype, std::span<const std::byte> bytes, std::span<double> out);
void ReadFloats(DType dtype, std::span<const std::byte> bytes, std::span<float> out);
void ReadInts(DType dtype, std::span<const std::byte> bytes, std::span<int64_t> out);

}  // namespace headway::mil
