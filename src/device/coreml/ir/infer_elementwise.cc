#include <fmt/format.h>

#include "device/coreml/ir/infer.h"

namespace headway::mil::infer {
namespace {

// Apple's reader promotes mixed operands, its runtime does not: one element type is the only safe
// form.
Result<Dims> SameTypeBroadcast(const TensorType& x, const TensorType& y) {
  if (x.dtype != y.dtype) {
    return Fail(ErrorCode::kInvalidInput,
                fmt::format("expected x and y of one element type, found {} and {}",
                            NameOf(x.dtype), NameOf(y.dtype)));
  }
  return Broadcast(x.dims, y.dims);
}

}  // namespace

Types SameAsX(const OpView& op) {
  const TensorType x = op.Tensor("x");
  return One(x.dtype, x.dims);
}

Types BroadcastXY(const OpView& op) {
  const TensorType x = op.Tensor("x");
  HW_TRY(Dims dims, SameTypeBroadcast(x, op.Tensor("y")));
  return One(x.dtype, std::move(dims));
}

Types CompareXY(const OpView& op) {
  HW_TRY(Dims dims, SameTypeBroadcast(op.Tensor("x"), op.Tensor("y")));
  return One(DType::kBool, std::move(dims));
}

Types Select(const OpView& op) {
  const TensorType a = op.Tensor("a");
  HW_TRY(const Dims values, SameTypeBroadcast(a, op.Tensor("b")));
  HW_TRY(Dims dims, Broadcast(op.Tensor("cond").dims, values));
  return One(a.dtype, std::move(dims));
}

Types Cast(const OpView& op) {
  const std::string_view name = op.StringOr("dtype", "");
  const std::optional<DType> dtype = DTypeFromName(name);
  constexpr DTypeSet kTargets = Only(DType::kF16) | Only(DType::kF32) | Only(DType::kI32) |
                                Only(DType::kI16) | Only(DType::kU16) | Only(DType::kI8) |
                                Only(DType::kU8) | Only(DType::kBool);
  if (!dtype || !Contains(kTargets, *dtype)) {
    return Fail(
        ErrorCode::kInvalidInput,
        fmt::format(
            "expected dtype fp16, fp32, int32, int16, uint16, int8, uint8 or bool, found '{}'",
            name));
  }
  return One(*dtype, op.Tensor("x").dims);
}

}  // namespace headway::mil::infer
