#pragma once

// The type of a MIL value: a tensor with known or unknown extents, or a state that wraps one.
// Lists, tuples and dictionaries exist in MIL but in none of the ops of the table; the parser
// rejects them by name.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "device/coreml/ir/dtype.h"

namespace headway::mil {

// A program, an operation or a value that MIL does not allow.
inline tl::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidInput, std::move(message));
}

// Extents outermost first; kUnknownDim stands for an axis of flexible length (RangeDim).
using Dims = std::vector<int64_t>;
inline constexpr int64_t kUnknownDim = -1;

// Ops work on rank <= 5; lookup tables of a rank-5 weight have two axes more. Above that it is
// damage or attack.
inline constexpr int kMaxRank = 8;

struct TensorType {
  DType dtype = DType::kF16;
  Dims dims;  // empty: a scalar
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

struct Type {
  TensorType tensor;
  bool is_state = false;
  friend bool operator==(const Type&, const Type&) = default;
};

struct NamedType {
  std::string name;
  Type type;
};

// The product of known extents; nullopt when one is unknown or negative, or the product exceeds
// 2^56.
std::optional<int64_t> NumElements(const Dims& dims);

// Bytes of `num_elements` packed elements, the last byte padded with zero bits.
int64_t PackedBytes(DType dtype, int64_t num_elements);

// Errors (kCorrupt): rank above kMaxRank, a negative extent that is not kUnknownDim, more than 2^56
// elements.
Result<void> CheckDims(const Dims& dims);

// Equal, where an unknown extent equals anything.
bool Compatible(const Dims& a, const Dims& b);
bool Compatible(const Type& a, const Type& b);

bool IsFullyKnown(const Dims& dims);

std::string ToString(const Dims& dims);  // "[1, 3072, ?, 1]"
std::string ToString(const Type& type);  // "fp16[1, 3072, ?, 1]", "state<fp16[1, 8, 512, 128]>"

// The rank-aligned broadcast of NumPy; an unknown extent against 1 or another unknown one stays
// unknown. Errors (kInvalidInput): extents that differ and are not 1.
Result<Dims> Broadcast(const Dims& a, const Dims& b);

}  // namespace headway::mil
