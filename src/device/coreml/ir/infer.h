#pragma once

// The type rules of the op table, grouped as the infer_*.cc files are. Each takes an operation
// whose parameters the verifier has checked for presence and element type, and gives the types of
// its outputs.

#include <vector>

#include "device/coreml/ir/op_table.h"

namespace headway::mil::infer {

using Types = Result<std::vector<Type>>;

inline std::vector<Type> One(DType dtype, Dims dims) {
  return {Type{TensorType{dtype, std::move(dims)}, false}};
}

// A normalised slice of one axis: `length` elements from `begin`, `stride` apart.
struct AxisSlice {
  int64_t begin = 0;
  int64_t length = 0;  // kUnknownDim where the axis or the bounds are unknown
  int64_t stride = 1;
  bool squeeze = false;
};

// The slice parameters of slice_by_index and slice_update against `dims`; `begin` and `end` given
// as values (empty: not known). Shared with the interpreter, where they are known.
Result<std::vector<AxisSlice>> ResolveSlice(const OpView& op, const Dims& dims,
                                            const std::vector<int64_t>& begin,
                                            const std::vector<int64_t>& end);

// Padding before and after each spatial axis of a convolution or pool.
struct Window {
  std::vector<int64_t> kernel, stride, dilation, pad_before, pad_after;
  bool ceil = false;  // a last window may reach beyond the padding, but not begin there
};
// `kernel`: spatial extents. Uses strides, pad_type, pad, dilations; `x_spatial` for the "same"
// types.
Result<Window> ResolveWindow(const OpView& op, const Dims& kernel, const Dims& x_spatial);

// Target of reshape: 0 keeps the axis of x, one -1 is inferred; -1 stays unknown when x has unknown
// extents.
Result<Dims> ResolveReshape(const Dims& x, const std::vector<int64_t>& shape);

// elementwise
Types SameAsX(const OpView& op);
Types BroadcastXY(const OpView& op);
Types CompareXY(const OpView& op);
Types Select(const OpView& op);
Types Cast(const OpView& op);
// reductions and ordering
Types Reduce(const OpView& op);
Types ReduceArg(const OpView& op);
Types TopK(const OpView& op);
Types ArgSort(const OpView& op);
Types Softmax(const OpView& op);
// shapes
Types Reshape(const OpView& op);
Types Transpose(const OpView& op);
Types ExpandDims(const OpView& op);
Types Squeeze(const OpView& op);
Types Tile(const OpView& op);
Types Concat(const OpView& op);
Types Stack(const OpView& op);
Types Split(const OpView& op);
// slices and gathers
Types SliceByIndex(const OpView& op);
Types SliceBySize(const OpView& op);
Types SliceUpdate(const OpView& op);
Types Gather(const OpView& op);
Types GatherAlongAxis(const OpView& op);
// products
Types Conv(const OpView& op);
Types Linear(const OpView& op);
Types MatMul(const OpView& op);
Types MaxPool(const OpView& op);
Types LayerNorm(const OpView& op);
Types Attention(const OpView& op);
// constants and states
Types Const(const OpView& op);
Types BlockwiseShiftScale(const OpView& op);
Types LutToDense(const OpView& op);
Types LutToDenseOld(const OpView& op);
Types AffineDequantize(const OpView& op);
Types SparseToDense(const OpView& op);
Types ConstexprCast(const OpView& op);
Types ReadState(const OpView& op);
Types WriteState(const OpView& op);

}  // namespace headway::mil::infer
