#include <fmt/format.h>

#include <algorithm>

#include "device/coreml/ir/infer.h"

namespace headway::mil::infer {
namespace {}  // namespace

Result<Dims> ResolveReshape(const Dims& x, const std::vector<int64_t>& shape) {
  Dims dims(shape.begin(), shape.end());
  int inferred = -1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0) {
      if (i >= x.size()) return Invalid("expected 0 only where x has an axis to keep");
      dims[i] = x[i];
    } else if (dims[i] == -1) {
      if (inferred >= 0)
        return Invalid("expected at most one -1 in shape, found " + ToString(dims));
      inferred = static_cast<int>(i);
    } else if (dims[i] < -1) {
      return Invalid("expected extents of at least -1, found " + ToString(dims));
    }
  }
  HW_TRY_VOID(CheckDims(dims));
  if (!IsFullyKnown(x)) return dims;
  const int64_t total = NumElements(x).value_or(0);
  if (inferred >= 0) {
    int64_t& hole = dims[static_cast<size_t>(inferred)];
    hole = 1;
    const int64_t rest = NumElements(dims).value_or(0);
    if (rest > 0 && total % rest == 0) hole = total / rest;
  }
  if (NumElements(dims) != total) {
    return Invalid(fmt::format("expected {} elements as in x {}, found shape {}", total,
                               ToString(x), ToString(Dims(shape.begin(), shape.end()))));
  }
  return dims;
}

Types Reshape(const OpView& op) {
  const TensorType x = op.Tensor("x");
  if (const auto shape = op.Ints("shape")) {
    HW_TRY(Dims dims, ResolveReshape(x.dims, *shape));
    return One(x.dtype, std::move(dims));
  }
  const TensorType shape = op.Tensor("shape");
  if (shape.dims.size() != 1 || shape.dims[0] < 0 || shape.dims[0] > kMaxRank) {
    return Invalid("expected shape of type int32[rank], found " + ToString(Type{shape, false}));
  }
  return One(x.dtype, Dims(static_cast<size_t>(shape.dims[0]), kUnknownDim));
}

Types Transpose(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const auto perm = op.Ints("perm");
  if (!perm || perm->size() != x.dims.size())
    return Invalid("expected perm with one entry per axis of x");
  Dims dims(x.dims.size());
  std::vector<bool> seen(x.dims.size(), false);
  for (size_t i = 0; i < dims.size(); ++i) {
    HW_TRY(const size_t from, ResolveAxis((*perm)[i], x.dims.size()));
    if (seen[from]) return Invalid("expected perm to name each axis once");
    seen[from] = true;
    dims[i] = x.dims[from];
  }
  return One(x.dtype, std::move(dims));
}

Types ExpandDims(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const auto axes = op.Ints("axes");
  if (!axes) return Invalid("expected constant axes");
  const size_t rank = x.dims.size() + axes->size();
  if (rank > static_cast<size_t>(kMaxRank))
    return Invalid(fmt::format("expected rank <= {}", kMaxRank));
  std::vector<bool> fresh(rank, false);
  for (const int64_t axis : *axes) {
    HW_TRY(const size_t index, ResolveAxis(axis, rank));
    if (fresh[index]) return Invalid("expected axes that differ");
    fresh[index] = true;
  }
  Dims dims;
  size_t next = 0;
  for (size_t i = 0; i < rank; ++i) dims.push_back(fresh[i] ? 1 : x.dims[next++]);
  return One(x.dtype, std::move(dims));
}

Types Squeeze(const OpView& op) {
  const TensorType x = op.Tensor("x");
  std::vector<bool> drop(x.dims.size(), false);
  if (const auto axes = op.Ints("axes")) {
    for (const int64_t axis : *axes) {
      HW_TRY(const size_t index, ResolveAxis(axis, x.dims.size()));
      if (x.dims[index] != 1 && x.dims[index] != kUnknownDim) {
        return Invalid(fmt::format("expected axis {} of x {} to be 1", axis, ToString(x.dims)));
      }
      drop[index] = true;
    }
  } else {
    for (size_t i = 0; i < drop.size(); ++i) drop[i] = x.dims[i] == 1;
  }
  Dims dims;
  for (size_t i = 0; i < drop.size(); ++i) {
    if (!drop[i]) dims.push_back(x.dims[i]);
  }
  return One(x.dtype, std::move(dims));
}

Types Tile(const OpView& op) {
  const TensorType x = op.Tensor("x");
  const auto reps = op.Ints("reps");
  Dims dims = x.dims;
  if (!reps) return One(x.dtype, Dims(dims.size(), kUnknownDim));
  if (reps->size() != dims.size()) return Invalid("expected reps with one entry per axis of x");
  for (size_t i = 0; i < dims.size(); ++i) {
    if ((*reps)[i] < 1) return Invalid("expected reps of at least 1");
    HW_TRY_VOID(CheckDims({dims[i], (*reps)[i]}));
    if (dims[i] != kUnknownDim) dims[i] *= (*reps)[i];
  }
  HW_TRY_VOID(CheckDims(dims));
  return One(x.dtype, std::move(dims));
}

Types Concat(const OpView& op) {
  const TensorType first = op.Tensor("values", 0);
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", 0), first.dims.size()));
  Dims dims = first.dims;
  for (size_t i = 1; i < op.Count("values"); ++i) {
    const TensorType next = op.Tensor("values", i);
    Dims aligned = next.dims;
    if (aligned.size() == dims.size()) aligned[axis] = dims[axis];
    if (next.dtype != first.dtype || !Compatible(aligned, dims)) {
      return Invalid(fmt::format("expected values that agree outside axis {}, found {} and {}",
                                 axis, ToString(Type{first, false}), ToString(Type{next, false})));
    }
    const int64_t length = next.dims[axis];
    dims[axis] =
        dims[axis] == kUnknownDim || length == kUnknownDim ? kUnknownDim : dims[axis] + length;
    HW_TRY_VOID(CheckDims(dims));
    if (op.BoolOr("interleave", false) && !Compatible(next.dims, first.dims)) {
      return Invalid(fmt::format("expected values of one shape to interleave, found {} and {}",
                                 ToString(first.dims), ToString(next.dims)));
    }
  }
  return One(first.dtype, std::move(dims));
}

Types Stack(const OpView& op) {
  const TensorType first = op.Tensor("values", 0);
  for (size_t i = 1; i < op.Count("values"); ++i) {
    const TensorType next = op.Tensor("values", i);
    if (next.dtype != first.dtype || !Compatible(next.dims, first.dims)) {
      return Invalid("expected values of one type, found " + ToString(Type{first, false}) +
                     " and " + ToString(Type{next, false}));
    }
  }
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", 0), first.dims.size() + 1));
  Dims dims = first.dims;
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis),
              static_cast<int64_t>(op.Count("values")));
  return One(first.dtype, std::move(dims));
}

Types Split(const OpView& op) {
  const TensorType x = op.Tensor("x");
  HW_TRY(const size_t axis, ResolveAxis(op.IntOr("axis", 0), x.dims.size()));
  const int64_t length = x.dims[axis];
  std::vector<int64_t> sizes;
  if (const auto given = op.Ints("split_sizes")) {
    sizes = *given;
  } else {
    const int64_t parts = op.IntOr("num_splits", 0);
    if (parts < 1 || parts > 65536 || length == kUnknownDim || length % parts != 0) {
      return Invalid(fmt::format("expected num_splits that divides {}, found {}", length, parts));
    }
    sizes.assign(static_cast<size_t>(parts), length / parts);
  }
  std::vector<Type> types;
  int64_t total = 0;
  for (const int64_t part : sizes) {
    if (part < 0 || part > (int64_t{1} << 40))
      return Invalid("expected split_sizes that are not negative");
    total += part;
    Dims dims = x.dims;
    dims[axis] = part;
    types.push_back({TensorType{x.dtype, std::move(dims)}, false});
  }
  if (length != kUnknownDim && total != length) {
    return Invalid(fmt::format("expected split_sizes that sum to {}, found {}", length, total));
  }
  return types;
}

}  // namespace headway::mil::infer
