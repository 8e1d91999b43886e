#include <fmt/format.h>

#include <algorithm>

#include "device/coreml/ir/infer.h"

namespace headway::mil::infer {
namespace {

// The bits of a mask parameter; all false when it is absent.
Result<std::vector<int64_t>> PerAxis(const OpView& op, std::string_view param, size_t rank,
                                     int64_t fallback) {
  const auto values = op.Ints(param);
  if (!values) {
    if (op.Has(param)) return Invalid(fmt::format("parameter '{}': expected a constant", param));
    return std::vector<int64_t>(rank, fallback);
  }
  if (values->size() != rank) {
    return Invalid(fmt::format("parameter '{}': expected {} entries, one per axis of x, found {}",
                               param, rank, values->size()));
  }
  return *values;
}

// NumPy's rule for one bound of a forward slice: negative counts from the end, then clamp into [0,
// extent].
int64_t ClampBound(int64_t bound, int64_t extent) {
  if (bound < 0) bound += extent;
  return std::clamp<int64_t>(bound, 0, extent);
}

}  // namespace

Result<std::vector<AxisSlice>> ResolveSlice(const OpView& op, const Dims& dims,
                                            const std::vector<int64_t>& begin,
                                            const std::vector<int64_t>& end) {
  const size_t rank = dims.size();
  HW_TRY(const auto stride, PerAxis(op, "stride", rank, 1));
  HW_TRY(const auto begin_mask, PerAxis(op, "begin_mask", rank, 0));
  HW_TRY(const auto end_mask, PerAxis(op, "end_mask", rank, 0));
  HW_TRY(const auto squeeze_mask, PerAxis(op, "squeeze_mask", rank, 0));
  if ((!begin.empty() && begin.size() != rank) || (!end.empty() && end.size() != rank)) {
    return Invalid(fmt::format("expected begin and end with {} entries, found {} and {}", rank,
                               begin.size(), end.size()));
  }
  std::vector<AxisSlice> slices(rank);
  for (size_t i = 0; i < rank; ++i) {
    AxisSlice& slice = slices[i];
    slice.stride = stride[i];
    slice.squeeze = squeeze_mask[i] != 0;
    if (slice.stride < 1)
      return Invalid(fmt::format("expected strides of at least 1, found {}", slice.stride));
    const int64_t extent = dims[i];
    if (slice.squeeze) {
      slice.length = 1;
      if (begin.empty() || extent == kUnknownDim) continue;
      slice.begin = begin[i] < 0 ? begin[i] + extent : begin[i];
      if (slice.begin < 0 || slice.begin >= extent) {
        return Invalid(
            fmt::format("axis {}: expected an index below {}, found {}", i, extent, begin[i]));
      }
      continue;
    }
    const bool from_start = begin_mask[i] != 0;
    const bool to_end = end_mask[i] != 0;
    const bool known =
        (from_start || !begin.empty()) && (to_end || !end.empty()) && extent != kUnknownDim;
    if (!known) {
      slice.length = kUnknownDim;
      continue;
    }
    slice.begin = from_start ? 0 : ClampBound(begin[i], extent);
    const int64_t last = to_end ? extent : ClampBound(end[i], extent);
    slice.length = last <= slice.begin ? 0 : (last - slice.begin + slice.stride - 1) / slice.stride;
  }
  return slices;
}

Types SliceByIndex(const OpView& op) {
  const TensorType x = op.Tensor("x");
  HW_TRY(const auto slices,
         ResolveSlice(op, x.dims, op.Ints("begin").value_or(std::vector<int64_t>()),
                      op.Ints("end").value_or(std::vector<int64_t>())));
  Dims dims;
  for (const AxisSlice& slice : slices) {
    if (!slice.squeeze) dims.push_back(slice.length);
  }
  return One(x.dtype, std::move(dims));
}

Types SliceBySize(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const auto begin = op.Ints("begin");
  const auto size = op.Ints("size");
  Dims dims(x.dims.size(), kUnknownDim);
  if (!size) return One(x.dtype, std::move(dims));
  if (size->size() != x.dims.size() || (begin && begin->size() != x.dims.size())) {
    return Invalid("expected begin and size with one entry per axis of x");
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t extent = x.dims[i];
    dims[i] = (*size)[i];
    if (dims[i] < -1) return Invalid("expected sizes of at least -1");
    if (!begin || extent == kUnknownDim) continue;
    const int64_t first = (*begin)[i] < 0 ? (*begin)[i] + extent : (*begin)[i];
    if (dims[i] == -1) dims[i] = extent - first;
    if (first < 0 || first > extent || dims[i] < 0 || dims[i] > extent - first) {
      return Invalid(fmt::format("axis {}: expected a slice inside {}, found begin {} size {}", i,
                                 extent, (*begin)[i], (*size)[i]));
    }
  }
  return One(x.dtype, std::move(dims));
}

Types SliceUpdate(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const TensorType update = op.Tensor("update");
  HW_TRY(const auto slices,
         ResolveSlice(op, x.dims, op.Ints("begin").value_or(std::vector<int64_t>()),
                      op.Ints("end").value_or(std::vector<int64_t>())));
  Dims expected;
  for (const AxisSlice& slice : slices) {
    if (!slice.squeeze) expected.push_back(slice.length);
  }
  if (update.dtype != x.dtype || !Compatible(update.dims, expected)) {
    return Invalid(fmt::format("expected update of type {}, found {}",
                               ToString(Type{TensorType{x.dtype, expected}, false}),
                               ToString(Type{update, false})));
  }
  return One(x.dtype, x.dims);
}

Types Gather(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const TensorType indices = op.Tensor("indices");
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", 0), x.dims.size()));
  const int64_t batch = op.IntOr("batch_dims", 0);
  if (batch < 0 || static_cast<size_t>(batch) > axis ||
      static_cast<size_t>(batch) > indices.dims.size()) {
    return Invalid(fmt::format("expected batch_dims in [0, {}], found {}", axis, batch));
  }
  const auto split = static_cast<std::ptrdiff_t>(axis);
  Dims dims(x.dims.begin(), x.dims.begin() + split);
  dims.insert(dims.end(), indices.dims.begin() + batch, indices.dims.end());
  dims.insert(dims.end(), x.dims.begin() + split + 1, x.dims.end());
  HW_TRY_VOID(CheckDims(dims));
  return One(x.dtype, std::move(dims));
}

Types GatherAlongAxis(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const TensorType indices = op.Tensor("indices");
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", 0), x.dims.size()));
  Dims aligned = indices.dims;
  if (aligned.size() == x.dims.size()) aligned[axis] = x.dims[axis];
  if (!Compatible(aligned, x.dims)) {
    return Invalid(fmt::format("expected indices shaped like x outside axis {}, found {} and {}",
                               axis, ToString(indices.dims), ToString(x.dims)));
  }
  return One(x.dtype, indices.dims);
}

}  // namespace headway::mil::infer
