#include <fmt/format.h>

#include <algorithm>

#include "device/coreml/ir/infer.h"

namespace headway::mil::infer {
namespace {

// `dims` with the marked axes at 1 or gone.
Dims Reduced(const Dims& dims, const std::vector<bool>& marked, bool keep) {
  Dims result;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!marked[i]) {
      result.push_back(dims[i]);
    } else if (keep) {
      result.push_back(1);
    }
  }
  return result;
}

Result<DType> IndexType(const OpView& op, std::string_view param) {
  const std::string_view name = op.StringOr(param, "int32");
  if (name == "int32") return DType::kI32;
  if (name == "uint16") return DType::kU16;
  return Fail(ErrorCode::kInvalidInput,
              fmt::format("parameter '{}': expected int32 or uint16, found '{}'", param, name));
}

}  // namespace

Types Reduce(const OpView& op) {
  const TensorType x = op.Tensor("x");
  std::vector<bool> marked(x.dims.size(), !op.Has("axes"));
  if (const auto axes = op.Ints("axes")) {
    for (const int64_t axis : *axes) {
      HW_TRY(const size_t index, ResolveAxis(axis, x.dims.size()));
      marked[index] = true;
    }
  }
  return One(x.dtype, Reduced(x.dims, marked, op.BoolOr("keep_dims", false)));
}

Types ReduceArg(const OpView& op) {
  const TensorType x = op.Tensor("x");
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", -1), x.dims.size()));
  HW_TRY(const DType dtype, IndexType(op, "output_dtype"));
  std::vector<bool> marked(x.dims.size(), false);
  marked[axis] = true;
  return One(dtype, Reduced(x.dims, marked, op.BoolOr("keep_dims", false)));
}

Types TopK(const OpView& op) {
  const TensorType x = op.Tensor("x");
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", -1), x.dims.size()));
  const int64_t k = op.IntOr("k", 1);
  Dims dims = x.dims;
  if (k < 1 || (dims[axis] != kUnknownDim && k > dims[axis])) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected k in [1, {}], found {}", dims[axis], k));
  }
  dims[axis] = k;
  std::vector<Type> types = One(x.dtype, dims);
  if (op.BoolOr("return_indices", true)) {
    HW_TRY(const DType dtype, IndexType(op, "output_indices_dtype"));
    types.push_back({TensorType{dtype, dims}, false});
  }
  return types;
}

Types ArgSort(const OpView& op) {
  const TensorType x = op.Tensor("x");
  HW_TRY([[maybe_unused]] const size_t axis, ResolveAxis(op.IntOr("axis", -1), x.dims.size()));
  return One(DType::kI32, x.dims);
}

Types Softmax(const OpView& op) {
  const TensorType x = op.Tensor("x");
  HW_TRY([[maybe_unused]] const size_t axis, ResolveAxis(op.IntOr("axis", -1), x.dims.size()));
  return One(x.dtype, x.dims);
}

}  // namespace headway::mil::infer
