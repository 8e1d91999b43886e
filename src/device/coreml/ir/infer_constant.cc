#include <fmt/format.h>

#include <algorithm>

#include "device/coreml/ir/infer.h"

namespace headway::mil::infer {
namespace {

// True when every extent of `part` is at least 1 and divides that of `whole`.
bool Divides(const Dims& part, const Dims& whole) {
  return part.size() == whole.size() &&
         std::equal(part.begin(), part.end(), whole.begin(),
                    [](int64_t p, int64_t w) { return p >= 1 && w >= 1 && w % p == 0; });
}

}  // namespace

Types Const(const OpView& op) {
  const auto value = op.TypeOf("val");
  if (!value) return Invalid("expected attribute 'val'");
  if (!IsFullyKnown(value->tensor.dims)) return Invalid("expected a value with known extents");
  return std::vector<Type>{*value};
}

Types BlockwiseShiftScale(const OpView& op) {
  const TensorType data = op.Tensor("data");
  const TensorType scale = op.Tensor("scale");
  if (!Divides(scale.dims, data.dims)) {
    return Invalid(fmt::format("expected scale whose extents divide those of data {}, found {}",
                               ToString(data.dims), ToString(scale.dims)));
  }
  if (const auto offset = op.TypeOf("offset"); offset && offset->tensor.dims != scale.dims) {
    return Invalid(fmt::format("expected offset shaped like scale {}, found {}",
                               ToString(scale.dims), ToString(offset->tensor.dims)));
  }
  return One(scale.dtype, data.dims);
}

Types LutToDense(const OpView& op) {
  const TensorType indices = op.Tensor("indices");
  const TensorType lut = op.Tensor("lut");
  const size_t rank = indices.dims.size();
  const int64_t entries = int64_t{1} << Traits(indices.dtype).bits;
  if (lut.dims.size() != rank + 2 || lut.dims[rank] != entries ||
      !Divides(Dims(lut.dims.begin(), lut.dims.end() - 2), indices.dims)) {
    return Invalid(fmt::format("expected lut [groups that divide indices {}, {}, vector], found {}",
                               ToString(indices.dims), entries, ToString(lut.dims)));
  }
  Dims dims = indices.dims;
  const int64_t vector = lut.dims[rank + 1];
  if (vector != 1) {
    if (!op.Has("vector_axis")) return Invalid("expected vector_axis with vectors longer than 1");
    HW_TRY(const size_t axis, ResolveAxis(op.IntOr("vector_axis", 0), rank));
    HW_TRY_VOID(CheckDims({vector, dims[axis]}));
    dims[axis] *= vector;
    HW_TRY_VOID(CheckDims(dims));
  }
  return One(lut.dtype, std::move(dims));
}

Types LutToDenseOld(const OpView& op) {
  const auto shape = op.Ints("shape");
  const TensorType lut = op.Tensor("lut");
  const TensorType indices = op.Tensor("indices");
  if (!shape) return Invalid("expected attribute 'shape'");
  const Dims dims(shape->begin(), shape->end());
  HW_TRY_VOID(CheckDims(dims));
  int64_t bits = 0;
  for (const int64_t width : {1, 2, 4, 6, 8}) {
    if (lut.dims == Dims{int64_t{1} << width}) bits = width;
  }
  if (bits == 0)
    return Invalid("expected lut [2], [4], [16], [64] or [256], found " + ToString(lut.dims));
  const auto count = NumElements(dims);
  if (!count || *count > (int64_t{1} << 50) || indices.dims != Dims{(*count * bits + 7) / 8}) {
    return Invalid(fmt::format("expected indices of {} packed {}-bit elements, found {}",
                               ToString(dims), bits, ToString(indices.dims)));
  }
  return One(lut.dtype, dims);
}

Types AffineDequantize(const OpView& op) {
  const TensorType data = op.Tensor("quantized_data");
  const TensorType scale = op.Tensor("scale");
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", 0), data.dims.size()));
  if (!Divides(Dims(data.dims.size(), 1), data.dims))
    return Invalid("expected quantized_data with extents of at least 1");
  for (const std::string_view param : {"scale", "zero_point"}) {
    const TensorType type = op.Tensor(param);
    if (!type.dims.empty() && type.dims != Dims{data.dims[axis]}) {
      return Invalid(fmt::format("parameter '{}': expected a scalar or [{}], found {}", param,
                                 data.dims[axis], ToString(type.dims)));
    }
  }
  return One(scale.dtype, data.dims);
}

Types SparseToDense(const OpView& op) {
  const TensorType mask = op.Tensor("mask");
  const TensorType nonzero = op.Tensor("nonzero_data");
  if (nonzero.dims.size() != 1)
    return Invalid("expected nonzero_data [D], found " + ToString(nonzero.dims));
  return One(nonzero.dtype, mask.dims);
}

Types ConstexprCast(const OpView& op) {
  if (op.StringOr("output_dtype", "") != "fp32") return Invalid("expected output_dtype fp32");
  return One(DType::kF32, op.Tensor("source_val").dims);
}

Types ReadState(const OpView& op) { return One(op.Tensor("input").dtype, op.Tensor("input").dims); }

Types WriteState(const OpView& op) {
  const TensorType state = op.Tensor("input");
  const TensorType value = op.Tensor("data");
  if (value.dtype != state.dtype || !Compatible(value.dims, state.dims)) {
    return Invalid(fmt::format("expected data of the state's type {}, found {}",
                               ToString(Type{state, false}), ToString(Type{value, false})));
  }
  return std::vector<Type>();
}

}  // namespace headway::mil::infer
